"""The broker that these tests use, and replicas of the service on it."""

from __future__ import annotations

import os
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.kafka.broker import Broker, missing
from tests.kafka.replica import Replicas
from tests.support.reporting import FIGURES, kept

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures."""
    lines = [f"{test}: {figures}" for test, figures in kept(terminalreporter)]
    if lines:
        terminalreporter.section("kafka")
        terminalreporter.write_line("\n".join(lines))


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """What shows a test's figures at the end of the session."""
    return partial(record_property, FIGURES)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that a test may kill."""
    if reason := missing():
        pytest.skip(f"no broker of Apache Kafka: {reason}")
    started = Broker(tmp_path_factory.mktemp("kafka"))
    try:
        started.start()
        yield started
    finally:
        started.kill()


@pytest.fixture(scope="session")
def kafka_bootstrap_servers(request: pytest.FixtureRequest) -> str:
    """The brokers of `KAFKA_BOOTSTRAP_SERVERS`, or one that is started here."""
    if address := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return address
    broker: Broker = request.getfixturevalue("broker")
    return broker.address


@pytest.fixture
def brokers(request: pytest.FixtureRequest) -> str:
    """The brokers for a test's replicas; one that kills a broker says so by asking for its own."""
    if "broker" in request.fixturenames:
        broker: Broker = request.getfixturevalue("broker")
        return broker.address
    servers: str = request.getfixturevalue("kafka_bootstrap_servers")
    return servers


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str | None:
    """A migrated database, if the service has one."""
    url: str | None = None
    if find_spec("orders.internal.database"):
        url = request.getfixturevalue("migrated_postgres")
    return url


@pytest.fixture
async def replicas(
    database: str | None, brokers: str, kafka_namespace: str
) -> AsyncIterator[Replicas]:
    """Replicas of the service as processes that a test may kill."""
    async with Replicas(database, brokers, kafka_namespace) as started:
        yield started
