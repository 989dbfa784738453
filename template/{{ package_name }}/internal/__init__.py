"""What no domain should care about: settings, logging, HTTP, connections."""
