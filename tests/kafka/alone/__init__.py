"""A service with Kafka and without PostgreSQL; `nox -s kafka` runs these in one."""
