"""The databases of one process of a test run."""

import asyncio
import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from development.postgres import EmbeddedPostgres
from development.postgres.system import VERSION
from tests.harness.postgres import failures, run, server, template
from tests.harness.postgres.clones import LOST, Background, Clones
from tests.harness.postgres.failures import HarnessError, MigrationError
from tests.harness.postgres.naming import EMPTY, PACKAGE, dsn, kept_name, new_key, with_database

CHOOSABLE = 15
"""The first version of PostgreSQL with a choice of the cloning strategy."""


@dataclass(frozen=True)
class Database:
    """A test's own database."""

    name: str
    url: str


class Databases:
    """Opens the server when the first database is needed, and provides databases on it."""

    def __init__(self, root: Path, run_id: str, sources: Sequence[Path]) -> None:
        run.sweep()
        self.folder = run.run_folder(run_id)
        self._given_url = os.environ.get("TEST_DATABASE_URL")
        self._root = root
        self._sources = sources
        self._key = new_key()
        self._members = run.Membership(self.folder)
        self._background = Background()
        self._once = asyncio.Lock()
        self._url = ""
        self._digest = ""
        self._embedded: EmbeddedPostgres | None = None
        self._connections: list[asyncpg.Connection] = []
        self._clones: Clones | None = None
        self._refusal: HarnessError | None = None
        self._others: dict[str, asyncio.Task[str]] = {}

    async def template(self) -> str:
        """Return the name of the migrated template.

        Raises:
            HarnessError: the server is unavailable, or a migration failed.
        """
        return await self._background.run(self._template())

    async def template_of(self, migrations: str) -> str:
        """Return the name of another migrated template, for the migrations in a folder.

        Raises:
            HarnessError: the server is unavailable, or a migration failed.
        """
        return await self._background.run(self._template_of(migrations))

    async def take(self, source: str = EMPTY) -> Database:
        """Return a clone of `source` for the caller, and keep clones ready."""
        return await self._background.run(self._take(source, ahead=True))

    async def copy(self, source: str) -> Database:
        """Create a clone of `source` now, without keeping clones ready."""
        return await self._background.run(self._take(source, ahead=False))

    def give_back(self, database: Database) -> None:
        """Drop a database in the background."""
        self._background.call(self._opened().give_back, database.name)

    async def keep(self, database: Database) -> None:
        """Keep a database after the run, under the name that `kept` returned."""
        if self._embedded:
            self._opened().forget(database.name)
            (self.folder / "keep").write_text(str(self._kept_folder))
        else:
            await self._background.run(self._opened().keep(database.name, kept_name(database.name)))

    def kept(self, database: Database) -> str:
        """Return the URL that a kept database will have after the run."""
        if not self._embedded:
            return with_database(database.url, kept_name(database.name))
        folder = self._kept_folder.relative_to(self._root)
        return f"{database.url} (after `python -m development.postgres --folder {folder}`)"

    def close(self) -> None:
        """Drop all databases and leave the server, which stops after its last user."""
        try:
            self._background.submit(self._close()).result()
        finally:
            self._background.close()
            if self._embedded:
                self._embedded.stop()
            self._members.leave()

    @property
    def _kept_folder(self) -> Path:
        return self._root / ".cache" / "postgres" / "kept"

    async def _template(self) -> str:
        await self._open()
        if known := failures.noted(self.folder):
            raise known
        connection = await server.connect(self._url, self._key)
        try:
            return await template.ensure(connection, self._url, self._digest, self._key)
        except MigrationError as error:
            failures.note(self.folder, error)
            raise
        finally:
            await connection.close()

    async def _template_of(self, migrations: str) -> str:
        await self._open()
        if migrations not in self._others:
            self._others[migrations] = asyncio.create_task(self._make_other(migrations))
        return await self._others[migrations]

    async def _make_other(self, migrations: str) -> str:
        sources = template.sources(self._root, PACKAGE, migrations)
        digest = template.digest(sources, self._root, self._digest, migrations)
        connection = await server.connect(self._url, self._key)
        try:
            return await template.ensure(connection, self._url, digest, self._key, migrations)
        finally:
            await connection.close()

    async def _take(self, source: str, *, ahead: bool) -> Database:
        await self._open()
        clones = self._opened()
        name = await (clones.take(source) if ahead else clones.copy(source))
        return Database(name, with_database(self._url, name))

    def _opened(self) -> Clones:
        if self._clones is None:
            raise HarnessError("no database was taken yet")
        return self._clones

    async def _open(self) -> None:
        async with self._once:
            if self._refusal:
                raise self._refusal
            if self._clones is None:
                try:
                    await self._connect()
                except HarnessError as error:
                    self._refusal = error
                    raise

    async def _connect(self) -> None:
        if self._given_url:
            self._url = dsn(self._given_url)
            connection = await self._add_connection()
            await server.check(connection)
            await server.sweep(connection)
            # The template belongs to its role. Other roles may clone it, but not use its tables.
            role = await connection.fetchval("SELECT current_user")
            self._digest = self._digest_for(f"{connection.get_server_version().major} {role}")
        else:
            self._digest = self._digest_for(f"embedded {VERSION}")
            cache = self._root / ".cache" / "postgres"
            self._embedded = await run.start_server(self.folder, cache, self._digest, self._build)
            self._url = self._embedded.url
            connection = await self._add_connection()
        options = await _copy_options(connection)
        self._clones = Clones(connection, await self._add_connection(), self._key, options)

    async def _build(self, url: str) -> None:
        connection = await server.connect(url, self._key)
        try:
            await template.ensure(connection, url, self._digest, self._key)
        finally:
            await connection.close()

    async def _add_connection(self) -> asyncpg.Connection:
        connection = await server.connect(self._url, self._key)
        self._connections.append(connection)
        return connection

    def _digest_for(self, server: str) -> str:
        return template.digest(self._sources, self._root, server)

    async def _close(self) -> None:
        if self._clones:
            await self._clones.close()
        for connection in self._connections:
            with contextlib.suppress(*LOST):
                await connection.close(timeout=5)


async def _copy_options(connection: asyncpg.Connection) -> str:
    """Return the fastest cloning strategy of this server.

    Copying files is faster than logging every page, unless its checkpoint waits for a
    disk.
    """
    choosable = connection.get_server_version().major >= CHOOSABLE
    fsync = await connection.fetchval("SELECT current_setting('fsync')")
    return "STRATEGY FILE_COPY" if choosable and fsync == "off" else ""
