"""Databases at any revision, for tests of one upgrade and downgrade."""

from collections import OrderedDict

import asyncpg
from alembic.config import Config
from alembic.script import Script

from tests.harness.postgres import catalogue, revisions, service
from tests.harness.postgres.databases import Database, Databases
from tests.harness.postgres.failures import MigrationError, migration_error
from tests.harness.postgres.naming import EMPTY

LANDINGS_AT_MOST = 6
"""Limit of databases to keep at the revisions of earlier tests, as starting points."""

IRREVERSIBLE = "irreversible"
"""The name of a text in a revision's file: why it cannot be undone."""


class Stairway:
    """Provides databases at any revision, reusing those of earlier tests."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._landings: OrderedDict[str, Database] = OrderedDict()
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
        wanted = self.ancestors(revision)
        landing = self._highest_landing(wanted)
        database = await self._databases.copy(landing.name if landing else EMPTY)
        config = service.alembic_config(database.url)
        for parent in self._parents[revision]:
            await climb(config, parent)
        return database

    def _highest_landing(self, wanted: set[str]) -> Database | None:
        """Return the most advanced database that has only needed revisions."""
        applied = {name: {name, *self.ancestors(name)} for name in self._landings}
        fitting = [name for name, those in applied.items() if those <= wanted]
        if not fitting:
            return None
        return self._landings[max(fitting, key=lambda name: len(applied[name]))]

    def leave(self, revision: str, database: Database) -> None:
        """Take back a database at the revision, as a starting point for later revisions."""
        if known := self._landings.pop(revision, None):
            self._databases.give_back(known)
        self._landings[revision] = database
        while len(self._landings) > LANDINGS_AT_MOST:
            _, oldest = self._landings.popitem(last=False)
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
            await climb(config, script.revision)
            return
        before = await read(database)
        await climb(config, script.revision)
        after = await read(database)
        await descend(config, script)
        leftovers = catalogue.differences(before, await read(database))
        _refuse(f"downgrade of {script.revision}", leftovers)
        await climb(config, script.revision)
        repeated = catalogue.differences(after, await read(database))
        _refuse(f"second upgrade to {script.revision}", repeated)


async def read(database: Database) -> catalogue.Catalogue:
    """Return the objects of a database."""
    connection = await asyncpg.connect(database.url)
    try:
        return await catalogue.read(connection)
    finally:
        await connection.close()


async def climb(config: Config, revision: str) -> None:
    """Upgrade to a revision.

    Raises:
        MigrationError: a migration fails.
    """
    try:
        await service.upgrade(config, revision)
    except Exception as error:
        raise migration_error(error) from error


async def descend(config: Config, script: Script) -> None:
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
