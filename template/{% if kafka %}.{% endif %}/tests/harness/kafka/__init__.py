"""Brokers and events for tests. Each test has its own topics and groups."""

pytest_plugins = ("tests.harness.kafka.hooks", "tests.harness.kafka.fixtures")
