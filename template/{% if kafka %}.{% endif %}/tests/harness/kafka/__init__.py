"""Brokers and events for tests: every test has topics and groups of its own."""

pytest_plugins = ("tests.harness.kafka.hooks", "tests.harness.kafka.fixtures")
