"""Databases at any revision, for tests of one upgrade and downgrade."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
from alembic.config import Config
from alembic.script import Script

from tests.harness.postgres import catalogue, revisions, service
from tests.harness.postgres.databases import Database, Databases
from tests.harness.postgres.failures import MigrationError, migration_error
from tests.harness.postgres.naming import EMPTY

MOST_SNAPSHOTS = 6
"""Limit of databases to keep at the revisions of earlier tests, as starting points."""

IRREVERSIBLE = "irreversible"
"""The name of a text in a revision's file: why it cannot be undone."""


class Stairway:
    """Provides databases at any revision, reusing those of earlier tests."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._snapshots: OrderedDict[str, Database] = OrderedDict()
        config = service.alembic_config()
        self.scripts = {script.revision: script for script in revisions.revisions(config)}
        self._parents = revisions.parents(config)

    def ancestors(self, revision: str) -> set[str]:
        """Return all revisions that are applied before this one."""
        names: set[str] = set()
        waiting = [*self._parents[revision]]
        while waiting:
            name = waiting.pop()
            if name not in names:
                names.add(name)
                waiting += self._parents[name]
        return names

    async def below(self, revision: str) -> Database:
        """Return a database with exactly the revisions that this one depends on.

        Raises:
            HarnessError: there is no server, or an earlier migration fails.
        """
        name, applied = self._newest_snapshot(self.ancestors(revision))
        database = await self._databases.copy(name)
        config = service.alembic_config(database.url)
        for parent in self._parents[revision]:
            if parent not in applied:
                await upgrade(config, parent)
        return database

    def _newest_snapshot(self, wanted: set[str]) -> tuple[str, set[str]]:
        """Return the most advanced database that has only needed revisions, and its revisions."""
        fitting = [
            (database.name, applied)
            for revision, database in self._snapshots.items()
            if (applied := {revision, *self.ancestors(revision)}) <= wanted
        ]
        return max(fitting, key=lambda snapshot: len(snapshot[1]), default=(EMPTY, set[str]()))

    def leave(self, revision: str, database: Database) -> None:
        """Take back a database at the revision, as a starting point for later revisions."""
        if known := self._snapshots.pop(revision, None):
            self._databases.give_back(known)
        self._snapshots[revision] = database
        while len(self._snapshots) > MOST_SNAPSHOTS:
            _, oldest = self._snapshots.popitem(last=False)
            self._databases.give_back(oldest)

    def discard(self, database: Database) -> None:
        """Take back a database that is not needed any more."""
        self._databases.give_back(database)

    async def check(self, revision: str) -> None:
        """Upgrade, downgrade and upgrade again, and compare the schemas.

        Raises:
            AssertionError: the downgrade does not restore the schema, or the second upgrade fails.
            HarnessError: an earlier migration fails.
        """
        database = await self.below(revision)
        try:
            await self._check(self.scripts[revision], database)
        except BaseException:
            self.discard(database)
            raise
        self.leave(revision, database)

    async def _check(self, script: Script, database: Database) -> None:
        config = service.alembic_config(database.url)
        if irreversible(script):
            await upgrade(config, script.revision)
            return
        async with reading(database) as read_objects:
            before = await read_objects()
            await upgrade(config, script.revision)
            after = await read_objects()
            await downgrade(config, script)
            leftovers = catalogue.differences(before, await read_objects())
            _refuse(f"downgrade of {script.revision}", leftovers)
            await upgrade(config, script.revision)
            repeated = catalogue.differences(after, await read_objects())
            _refuse(f"second upgrade to {script.revision}", repeated)


@asynccontextmanager
async def reading(
    database: Database,
) -> AsyncIterator[Callable[[], Awaitable[catalogue.Catalogue]]]:
    """Give a function that reads the objects of a database.

    Its calls share a connection: a new one takes four times as long to read the catalogue.
    """
    connection = await asyncpg.connect(database.url)
    try:
        yield lambda: catalogue.read(connection)
    finally:
        await connection.close()


async def upgrade(config: Config, revision: str) -> None:
    """Upgrade to a revision.

    Raises:
        MigrationError: a migration fails.
    """
    try:
        await service.upgrade(config, revision)
    except Exception as error:
        raise migration_error(error) from error


async def downgrade(config: Config, script: Script) -> None:
    """Undo one revision.

    Raises:
        MigrationError: its downgrade fails.
    """
    down = script.down_revision
    parent = down if isinstance(down, str) or down is None else down[0]
    if not hasattr(script.module, "downgrade"):
        raise MigrationError(
            f"Migration {script.revision} has no downgrade: write one, or say why there is none "
            f'by `{IRREVERSIBLE} = "..."` in its file.',
            f"the downgrade of {script.revision}",
        )
    try:
        await service.downgrade(config, parent or f"{script.revision}@base")
    except Exception as error:
        raise migration_error(error) from error


def irreversible(script: Script) -> str | None:
    """Return why a revision cannot be undone, if its file says so."""
    reason: object = getattr(script.module, IRREVERSIBLE, None)
    if reason is not None and not (isinstance(reason, str) and reason.strip()):
        raise AssertionError(f"{script.path}: `{IRREVERSIBLE}` must say why, in a few words")
    return reason


def _refuse(action: str, differences: list[str]) -> None:
    if differences:
        raise AssertionError("\n".join(f"{action} {difference}" for difference in differences))
