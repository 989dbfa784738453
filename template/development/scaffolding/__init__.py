"""Adds domains to this service and removes them: `make domain`, `make domain-remove`."""
