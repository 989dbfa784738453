"""Fixtures that provide databases, and hooks. Override a fixture in `tests/conftest.py`."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.harness.postgres.failures import HarnessError, claim
from tests.harness.postgres.naming import EMPTY, PACKAGE, ROOT

# Unit tests alone import no database code, which halves their start.
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
    from pathlib import Path

    from alembic.config import Config

    from tests.harness.postgres.databases import Database, Databases
    from tests.harness.postgres.rows import DataMigration
    from tests.harness.postgres.stairs import Stairway

KEEP_OPTION = "--keep-database"
KEPT = "kept database"

DATABASES: pytest.StashKey[Databases] = pytest.StashKey()
LENT: pytest.StashKey[list[Database]] = pytest.StashKey()
FAILED: pytest.StashKey[bool] = pytest.StashKey()


@pytest.fixture(scope="session")
def migration_sources() -> list[Path]:
    """The files that the migrated template depends on. If one changes, it is created again.

    The default is the files in `migrations/` and the service's modules that revisions import.
    Override this to add others, such as a file of data that a revision reads.
    """
    from tests.harness.postgres import template  # noqa: PLC0415

    return template.sources(ROOT, PACKAGE)


@pytest.fixture(scope="session")
def databases(pytestconfig: pytest.Config, migration_sources: list[Path]) -> Iterator[Databases]:
    """All databases of this process; the server starts with the first."""
    from tests.harness.postgres.databases import Databases  # noqa: PLC0415

    databases = Databases(ROOT, run_id(pytestconfig), migration_sources)
    pytestconfig.stash[DATABASES] = databases
    try:
        yield databases
    finally:
        databases.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def migrated_postgres_template(databases: Databases) -> str:
    """The name of a database with all migrations applied, to which nobody can connect."""
    return await databases.template()


@pytest.fixture
async def migrated_postgres(
    databases: Databases, migrated_postgres_template: str, request: pytest.FixtureRequest
) -> AsyncIterator[str]:
    """The URL of the test's own database, with all migrations applied."""
    async with lent(databases, migrated_postgres_template, request.node) as url:
        yield url


@pytest.fixture
async def postgres(databases: Databases, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The URL of the test's own empty database."""
    async with lent(databases, EMPTY, request.node) as url:
        yield url


@pytest.fixture
async def alembic_config(postgres: str) -> Config:
    """Alembic's configuration, connected to the test's empty database."""
    from tests.harness.postgres import service  # noqa: PLC0415

    return service.alembic_config(postgres)


@pytest.fixture(scope="session")
def other_migrations() -> dict[str, str]:
    """Folders of the migrations of the service's other databases, by the settings of their URLs.

    Override this with `{"reports_url": "migrations/reports"}`: each test gets its own clone.
    """
    return {}


@pytest.fixture
async def database_settings(
    databases: Databases,
    migrated_postgres: str,
    other_migrations: dict[str, str],
    request: pytest.FixtureRequest,
) -> AsyncIterator[dict[str, object]]:
    """Settings of the database feature for tests, with the URLs of all databases."""
    values: dict[str, object] = {"database_url": migrated_postgres}
    async with contextlib.AsyncExitStack() as stack:
        for setting, folder in other_migrations.items():
            source = await databases.template_of(folder)
            clone = lent(databases, source, request.node)
            values[setting] = await stack.enter_async_context(clone)
        yield values


@contextlib.asynccontextmanager
async def lent(databases: Databases, source: str, item: pytest.Item) -> AsyncIterator[str]:
    """Provide the URL of a clone of `source` during a test."""
    database = await databases.take(source)
    item.stash.setdefault(LENT, []).append(database)
    try:
        yield database.url
    finally:
        if should_keep(item):
            await databases.keep(database)
        else:
            databases.give_back(database)


@pytest.fixture(scope="session")
def stairway(databases: Databases) -> Stairway:
    """Databases at any revision."""
    from tests.harness.postgres.stairs import Stairway  # noqa: PLC0415

    return Stairway(databases)


@pytest.fixture
async def data_migration(
    stairway: Stairway,
) -> AsyncIterator[Callable[[str], Awaitable[DataMigration]]]:
    """A function that returns a database directly before a revision: see DataMigration."""
    from tests.harness.postgres.rows import DataMigration  # noqa: PLC0415

    async with contextlib.AsyncExitStack() as stack:

        async def below(revision: str) -> DataMigration:
            migration = await DataMigration.below(revision, stairway)
            stack.push_async_callback(migration.close)
            return migration

        yield below


@pytest.fixture(scope="session")
def schema_exceptions() -> list[str]:
    """Objects that only migrations or only models create on purpose: `kind schema.table.part`.

    `*` stands for any text, as in `index public.events.*`.
    """
    return []


@pytest.fixture(scope="session")
def unindexed_lists() -> list[str]:
    """Lists that need no index, such as `products.price` and `products.name__startswith`."""
    return []


@pytest.fixture(scope="session")
def linter_exclusions() -> list[str]:
    """Rules of squawk that are off: matters of style, and rules that other tests check."""
    from tests.harness.postgres.revisions import EXCLUSIONS  # noqa: PLC0415

    return list(EXCLUSIONS)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that keeps databases."""
    parser.getgroup("databases").addoption(
        KEEP_OPTION, action="store_true", help="keep the databases of failed tests, say where"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shorten repeated failures, and report the database of a failed test."""
    report = yield
    if not report.failed:
        return report
    item.stash[FAILED] = True
    databases = item.config.stash.get(DATABASES, None)
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, HarnessError):
        is_first = databases is None or claim(databases.folder, error)
        report.longrepr = str(error) if is_first else error.short
    elif databases and call.when != "teardown" and item.config.getoption(KEEP_OPTION):
        for database in item.stash.get(LENT, []):
            report.user_properties.append((KEPT, databases.kept(database)))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:  # noqa: ANN401 - not pytest's public API
    """List the kept databases."""
    reports = [*terminalreporter.getreports("failed"), *terminalreporter.getreports("error")]
    kept = [
        (report.nodeid, where)
        for report in reports
        for name, where in getattr(report, "user_properties", [])
        if name == KEPT
    ]
    if kept:
        terminalreporter.section("kept databases")
        for test, where in kept:
            terminalreporter.line(f"{test}\n  {where}")


def run_id(config: pytest.Config) -> str:
    """Return the id that all processes of this run share."""
    worker: dict[str, str] = getattr(config, "workerinput", {})
    return worker.get("testrunuid") or uuid.uuid4().hex


def should_keep(item: pytest.Item) -> bool:
    """Return whether to keep the test's database."""
    return bool(item.config.getoption(KEEP_OPTION)) and item.stash.get(FAILED, False)
