"""The broker that these tests use, and replicas of the service on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kafka.broker import Broker, missing
from tests.kafka.replica import Replicas

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that may be killed."""
    if lacking := missing():
        pytest.skip(f"no broker of Apache Kafka: {lacking}")
    started = Broker(tmp_path_factory.mktemp("kafka"))
    try:
        started.start()
        yield started
    finally:
        started.kill()


@pytest.fixture(scope="session")
def kafka_bootstrap_servers(broker: Broker) -> str:
    """The broker's address: what the harness uses in these tests."""
    return broker.address


@pytest.fixture
async def replicas(
    migrated_postgres: str, kafka_bootstrap_servers: str, kafka_namespace: str
) -> AsyncIterator[Replicas]:
    """Replicas of the service as processes of their own, which may be killed."""
    async with Replicas(migrated_postgres, kafka_bootstrap_servers, kafka_namespace) as started:
        yield started
