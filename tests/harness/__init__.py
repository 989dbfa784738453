"""The test harness of a service, tried on services that are broken on purpose."""
