"""The test harness of a service, tested with services that are broken on purpose."""
