"""Brokers and events for tests. Each test has its own topics and groups."""

from __future__ import annotations

import contextlib
import os
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from development.kafka import mock_kafka

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.harness.kafka.messages import Messages

VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
BROKERS: pytest.StashKey[str] = pytest.StashKey()
RUNNING: pytest.StashKey[contextlib.ExitStack] = pytest.StashKey()


@pytest.fixture(scope="session")
def kafka_bootstrap_servers(request: pytest.FixtureRequest) -> str:
    """The brokers in `KAFKA_BOOTSTRAP_SERVERS`, or one mock cluster for the whole run."""
    return brokers(request.config)


@pytest.fixture
def kafka_namespace() -> str:
    """The prefix of this test's topics and groups."""
    return f"test-{uuid.uuid4().hex[:12]}."


@pytest.fixture
def kafka_settings(kafka_bootstrap_servers: str, kafka_namespace: str) -> dict[str, object]:
    """Settings of the Kafka feature for tests."""
    return {
        "kafka_bootstrap_servers": kafka_bootstrap_servers,
        "kafka_namespace": kafka_namespace,
        "kafka_consumer_backoff": 0.01,
    }


@pytest.fixture
async def messages(kafka_bootstrap_servers: str, kafka_namespace: str) -> AsyncIterator[Messages]:
    """Reads and writes messages on this test's topics, independently of the service."""
    from tests.harness.kafka.messages import Messages  # noqa: PLC0415

    async with Messages(kafka_bootstrap_servers, kafka_namespace) as reader:
        yield reader


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 - of pytest-xdist
    """Pass the address of the run's brokers to a worker."""
    node.workerinput["kafka"] = brokers(node.config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the mock cluster."""
    if running := config.stash.get(RUNNING, None):
        running.close()


def brokers(config: pytest.Config) -> str:
    """Return the brokers in `KAFKA_BOOTSTRAP_SERVERS`, or start one mock cluster."""
    worker_input: dict[str, str] = getattr(config, "workerinput", {})
    if address := os.environ.get(VARIABLE) or worker_input.get("kafka"):
        return address
    if BROKERS not in config.stash:
        config.stash[RUNNING] = stack = contextlib.ExitStack()
        config.stash[BROKERS] = stack.enter_context(mock_kafka())
    return config.stash[BROKERS]
