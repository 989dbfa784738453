"""Fixtures for tests of events."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.harness.kafka.hooks import brokers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.harness.kafka.messages import Messages


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
