"""Tests of all migrations, including the service's own. You do not have to add any."""
