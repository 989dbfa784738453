"""A service with all features, its servers, and the table of results."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol

import asyncpg
import pytest

from tests.faults.figures import Figures, table
from tests.faults.replica import Replica
from tests.faults.surroundings import Postgres, kafka
from tests.support.processes import make
from tests.support.rendering import render
from tests.support.reporting import FIGURES, kept

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class Report(Protocol):
    """Shows the figures of a fault at the end of the session."""

    def __call__(self, figures: Figures, note: str = "") -> None:
        """Keep the figures, and a word to show beside the fault's name."""


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, also for tests that failed."""
    rows = [
        tuple(str(cell) for cell in figures)
        for _, figures in kept(terminalreporter)
        if isinstance(figures, list | tuple)
    ]
    if rows:
        terminalreporter.section("faults")
        terminalreporter.write_line("\n".join(table(rows)))


@pytest.fixture(name="report")
def _report(record_property: object) -> Report:
    """The plugin that shows a test's figures at the end of the session."""
    assert callable(record_property)

    def report(figures: Figures, note: str = "") -> None:
        fault, *cells = figures.row()
        record_property(FIGURES, [f"{fault} {note}".strip(), *cells])

    return report


@pytest.fixture(scope="session", name="service")
def _service(template: Path) -> Iterator[Path]:
    """The service, rendered and installed, in a folder that PostgreSQL's account may enter."""
    with TemporaryDirectory(prefix="faults-") as folder:
        service = render(template, Path(folder) / "orders", kafka=True)
        make(service, "install")
        yield service


@pytest.fixture(scope="session", name="brokers")
def _brokers(service: Path) -> Iterator[str]:
    """Kafka brokers for all tests."""
    with kafka(service) as servers:
        yield servers


@pytest.fixture(name="folder")
def _folder() -> Iterator[Path]:
    """A folder for a server's data."""
    with TemporaryDirectory(prefix="faults-data-") as folder:
        yield Path(folder)


@pytest.fixture(name="database")
def _database(service: Path, folder: Path) -> Iterator[Postgres]:
    """A PostgreSQL server for this test alone."""
    with Postgres(service, folder / "postgres") as server:
        yield server


@pytest.fixture(name="settings")
def _settings(database: Postgres, brokers: str, tmp_path: Path) -> dict[str, str]:
    """Settings with the test's database and the session's brokers."""
    return {
        "DATABASE_URL": database.url,
        "KAFKA_BOOTSTRAP_SERVERS": brokers,
        "ORDERS_KAFKA_NAMESPACE": f"{tmp_path.name}-{database.port}.",
    }


@pytest.fixture(name="replica")
async def _replica(
    service: Path, settings: dict[str, str], tmp_path: Path
) -> AsyncIterator[Replica]:
    """The service, ready, on the test's database."""
    async with Replica(service, tmp_path / "service.log", **settings) as replica:
        yield replica


@pytest.fixture(name="connection")
async def _connection(database: Postgres) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the test's database, independent of the service."""
    connection = await asyncpg.connect(database.url)
    yield connection
    await connection.close()
