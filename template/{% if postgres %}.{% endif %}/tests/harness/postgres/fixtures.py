"""Fixtures that provide databases. To change one, override it in `tests/conftest.py`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.harness.postgres.hooks import DATABASES, LENT, run_id, should_keep
from tests.harness.postgres.naming import EMPTY

# Unit tests alone import no database code, which halves their start.
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from alembic.config import Config

    from tests.harness.postgres.databases import Databases
    from tests.harness.postgres.rows import DataMigration
    from tests.harness.postgres.stairs import Stairway


@pytest.fixture(scope="session")
def migration_sources() -> list[Path]:
    """The files that the migrated template depends on. If one changes, it is created again.

    The default is the files in `migrations/` and the service's modules that revisions import.
    Override this to add others, such as a file of data that a revision reads.
    """
    from tests.harness.postgres import history, project  # noqa: PLC0415

    return history.sources(project.ROOT, project.PACKAGE)


@pytest.fixture(scope="session")
def databases(pytestconfig: pytest.Config, migration_sources: list[Path]) -> Iterator[Databases]:
    """All databases of this process; the server starts with the first."""
    from tests.harness.postgres import project  # noqa: PLC0415
    from tests.harness.postgres.databases import Databases  # noqa: PLC0415

    databases = Databases(project.ROOT, run_id(pytestconfig), migration_sources)
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


@pytest.fixture
async def database_settings(migrated_postgres: str) -> dict[str, object]:
    """Settings of the database feature for tests."""
    return {"database_url": migrated_postgres}


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
    from tests.harness.postgres.squawk import EXCLUSIONS  # noqa: PLC0415

    return list(EXCLUSIONS)
