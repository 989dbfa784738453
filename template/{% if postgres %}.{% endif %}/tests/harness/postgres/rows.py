"""Tests of data migrations: rows before a revision, after it, and after its downgrade."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from tests.harness.postgres import service, stairs
from tests.harness.postgres.databases import Database


class DataMigration:
    """A database directly before a revision, with an open connection.

    async def test_names_are_split(data_migration: Callable[[str], Awaitable[DataMigration]]):
        migration = await data_migration("3f2a9c01b7de")
        await migration.execute("INSERT INTO people (name) VALUES ($1)", "Ada Lovelace")
        await migration.upgrade()
        assert await migration.rows("SELECT first, last FROM people") == [("Ada", "Lovelace")]
        await migration.downgrade()
        assert await migration.rows("SELECT name FROM people") == [("Ada Lovelace",)]
    """

    def __init__(
        self,
        revision: str,
        stairway: stairs.Stairway,
        database: Database,
        connection: asyncpg.Connection,
    ) -> None:
        self.revision = revision
        self.connection = connection
        self._stairway = stairway
        self._database = database

    @classmethod
    async def below(cls, revision: str, stairway: stairs.Stairway) -> "DataMigration":
        """Return a database with exactly the revisions that this one depends on."""
        database = await stairway.below(revision)
        return cls(revision, stairway, database, await asyncpg.connect(database.url))

    async def execute(self, statement: str, *arguments: object) -> None:
        """Run a statement, for example to insert rows before the upgrade."""
        await self.connection.execute(statement, *arguments)

    async def rows(self, query: str, *arguments: object) -> Sequence[tuple[Any, ...]]:
        """Return the rows of a query as tuples."""
        return [tuple(record) for record in await self.connection.fetch(query, *arguments)]

    async def upgrade(self) -> None:
        """Apply the revision."""
        await stairs.upgrade(service.alembic_config(self._database.url), self.revision)
        await self._forget_types()

    async def downgrade(self) -> None:
        """Undo the revision."""
        config = service.alembic_config(self._database.url)
        await stairs.downgrade(config, self._stairway.scripts[self.revision])
        await self._forget_types()

    async def close(self) -> None:
        """Return the database for other tests."""
        await self.connection.close()
        self._stairway.discard(self._database)

    async def _forget_types(self) -> None:
        # asyncpg's cached tables and types are outdated now.
        await self.connection.reload_schema_state()
