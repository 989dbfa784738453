"""Tests for a service with Kafka and without PostgreSQL. `nox -s kafka` runs them in one."""
