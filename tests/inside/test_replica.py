"""Readers use a replica while it keeps up, and the primary otherwise, without a failed query.

Set TEST_POSTGRES_PROGRAMS to the folder of another PostgreSQL's programs to run these tests on it.
"""

import asyncio
import os
import pwd
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import pytest
from httpx import AsyncClient
from pydantic import BaseModel, ValidationError
from sqlalchemy import func, select, text

from orders.internal.database import DatabaseReader, DatabaseSessionManager
from orders.internal.database import replica as replicas

from .helpers import NOWHERE, serve_on, settings
from development.postgres import system
from tests.support.ports import free_port

OPTIONS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
max_connections = 30
shared_buffers = 8MB
"""
PROGRAMS = Path(os.environ.get("TEST_POSTGRES_PROGRAMS") or system.programs())
WHERE = text("SELECT pg_is_in_recovery()")
IS_ON_REPLICA = select(func.pg_is_in_recovery().label("on_replica"))
MISTAKES = (
    "SELEC 1",
    "SELECT 1 WHERE 1",
    "SELECT 1 ORDER BY 2",
    "SELECT oid, relname FROM pg_class GROUP BY 2",
)
MISSING = (
    "SELECT 1 FROM new_table",
    "SELECT new_column FROM pg_class",
    "SELECT new_function()",
    "SELECT NULL::new_type",
    "SELECT new_schema.f()",
)
IS_BUSY = text("SELECT pg_sleep(1) IS NOT NULL AND pg_is_in_recovery()")


class OnReplica(BaseModel):
    """A row that says where it was read."""

    on_replica: bool


class Server:
    """A PostgreSQL server in a folder, without a password."""

    def __init__(self, data: Path, port: int) -> None:
        self._data = data
        account = system.account_for(data)
        self._account: dict[str, Any] = {}
        if account:  # and none of root's groups, to which the folders above may be closed
            group = pwd.getpwnam(account).pw_gid
            self._account = {"user": account, "group": group, "extra_groups": []}
        self._port = port
        self.process: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql://postgres@127.0.0.1:{port}/postgres"

    def run(self, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL to its end."""
        command = [str(PROGRAMS / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, **self._account)  # noqa: S603 - a list

    def make(self) -> None:
        """Make an empty database cluster."""
        self.run("initdb", "--auth=trust", "--username=postgres", f"--pgdata={self._data}")
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(OPTIONS)

    def copy(self, source: str) -> None:
        """Make a streaming replica of a server."""
        self.run("pg_basebackup", f"--dbname={source}", f"--pgdata={self._data}", "-R", "-cfast")

    def launch(self) -> None:
        """Start the process."""
        self.process = subprocess.Popen(  # noqa: S603 - a list
            [str(PROGRAMS / "postgres"), "-D", str(self._data), "-p", str(self._port)],
            stderr=subprocess.DEVNULL,
            **self._account,
        )

    async def start(self) -> None:
        """Start, and wait until it answers."""
        self.launch()
        async with asyncio.timeout(60):
            while True:
                try:
                    return await self.execute("SELECT 1")
                except (OSError, asyncpg.PostgresError):
                    await asyncio.sleep(0.05)

    def kill(self) -> None:
        """End at once, as a machine that loses power."""
        if self.process:
            self.run("pg_ctl", "stop", "-mimmediate", f"--pgdata={self._data}")
            self.process.wait()
            self.process = None

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Stop all processes in this block: connections stay open, and nothing answers."""
        pids = self._pids()
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def _pids(self) -> list[int]:
        """Return the process, stopped so that it starts no other, and its children."""
        assert self.process
        os.kill(self.process.pid, signal.SIGSTOP)
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [self.process.pid, *map(int, path.read_text().split())]

    async def execute(self, statement: str) -> None:
        """Run a statement."""
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def stopped(*servers: Server) -> Iterator[None]:
    """Stop the servers at the end."""
    try:
        yield
    finally:
        for server in servers:
            server.kill()


@pytest.fixture(name="folder")
def _folder() -> Iterator[Path]:
    """A folder that the account of the servers may enter."""
    with TemporaryDirectory(prefix="replica-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        system.let_through(PROGRAMS)
        yield folder


@pytest.fixture(name="servers")
async def _servers(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Server, Server]]:
    """A primary and its streaming replica, which services check often."""
    monkeypatch.setattr(replicas, "INTERVAL", 0.1)
    primary, replica = (Server(folder / name, free_port()) for name in ("one", "two"))
    with stopped(replica, primary):
        await asyncio.to_thread(primary.make)
        await primary.start()
        await asyncio.to_thread(replica.copy, primary.url)
        await replica.start()
        yield primary, replica


async def until(reader: DatabaseReader, *, on_replica: bool) -> None:
    """Read until the reader uses a replica, or no longer uses one; no read may fail."""
    async with asyncio.timeout(60):
        while await reader.scalar(WHERE) is not on_replica:  # noqa: ASYNC110 - the server's state
            await asyncio.sleep(0.02)


async def test_readers_use_a_replica_that_keeps_up(servers: tuple[Server, Server]) -> None:
    """It falls behind, is killed in the middle of queries, comes back, and is promoted."""
    primary, replica = servers
    limits = {"database_read_url": replica.url, "database_read_lag_limit": 0.5}
    async with serve_on(primary.url, migrate_on_start=True, **limits) as (app, client):
        reader = app.resources.get(DatabaseSessionManager).reader
        await until(reader, on_replica=True)
        assert await reader.primary.scalar(WHERE) is False
        await until_probe_says(client, "is used")
        await replica.execute("SELECT pg_wal_replay_pause()")
        await primary.execute("CREATE TABLE news (); INSERT INTO news DEFAULT VALUES")
        await until(reader, on_replica=False)
        await until_probe_says(client, "s behind")
        await replica.execute("SELECT pg_wal_replay_resume()")
        await until(reader, on_replica=True)
        queries = [asyncio.create_task(reader.scalar(IS_BUSY)) for _ in range(4)]
        await asyncio.sleep(0.2)
        await asyncio.to_thread(replica.kill)
        assert not any(await asyncio.gather(*queries))
        await until(reader, on_replica=False)
        await until_probe_says(client, "does not answer")
        await replica.start()
        await until(reader, on_replica=True)
        await replica.execute("SELECT pg_promote()")
        await until_probe_says(client, "not a replica any more")
        await primary.execute("CREATE TABLE newest ()")
        await reader.scalar(text("SELECT count(*) FROM newest"))


async def until_probe_says(client: AsyncClient, words: str) -> None:
    """Ask for the state of the replica until it contains these words; the service is ready."""
    async with asyncio.timeout(60):
        while True:
            response = await client.get("/healthcheck/ready")
            assert response.status_code == 200
            if words in response.json()["data"]["checks"]["database-replica"]["detail"]:
                return
            await asyncio.sleep(0.02)


async def test_a_primary_that_is_away_leaves_the_replica_in_use(
    servers: tuple[Server, Server],
) -> None:
    """What was committed before is there."""
    primary, replica = servers
    async with serve_on(primary.url, database_read_url=replica.url) as (app, _):
        reader = app.resources.get(DatabaseSessionManager).reader
        await until(reader, on_replica=True)
        await asyncio.to_thread(primary.kill)
        await asyncio.sleep(0.5)
        assert await reader.scalar(WHERE) is True


async def test_a_silent_replica_delays_reads_for_a_bounded_time(
    servers: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reads that run, and those that wait for its connections, move to the primary by a check."""
    monkeypatch.setattr(replicas, "ANSWER_TIMEOUT", 0.5)
    primary, replica = servers
    limits = {
        "database_pool_size": 4,
        "database_pool_timeout": 600,
        "database_statement_timeout": 600,
    }
    async with serve_on(
        primary.url, database_read_url=replica.url, migrate_on_start=True, **limits
    ) as (app, client):
        reader = app.resources.get(DatabaseSessionManager).reader
        await until(reader, on_replica=True)
        with replica.silent():
            async with asyncio.timeout(60):
                assert not any(await asyncio.gather(*(reader.scalar(WHERE) for _ in range(9))))
                async with reader.stream(IS_ON_REPLICA, OnReplica) as rows:
                    assert [row.on_replica async for row in rows] == [False]
            await until_probe_says(client, "does not answer")
        await until(reader, on_replica=True)
        await until_probe_says(client, "is used")


async def test_a_busy_pool_is_not_a_silent_replica(
    servers: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checks pass while reads use all of its connections."""
    monkeypatch.setattr(replicas, "ANSWER_TIMEOUT", 0.5)
    primary, replica = servers
    async with serve_on(primary.url, database_read_url=replica.url, database_pool_size=2) as (
        app,
        _,
    ):
        reader = app.resources.get(DatabaseSessionManager).reader
        await until(reader, on_replica=True)
        assert await asyncio.gather(*(reader.scalar(IS_BUSY) for _ in range(3))) == [True] * 3


async def test_only_what_a_migration_may_add_is_looked_for_on_the_primary(
    servers: tuple[Server, Server],
) -> None:
    """Any other mistake in SQL is reported at once."""
    primary, replica = servers
    runs: list[str] = []

    def note(sql: str) -> AbstractContextManager[None]:
        runs.append(sql)
        return nullcontext()

    async with serve_on(primary.url, database_read_url=replica.url) as (app, _):
        reader = app.resources.get(DatabaseSessionManager).reader
        await until(reader, on_replica=True)
        reader.watch_queries(note)
        for statement in (*MISTAKES, *MISSING):
            with pytest.raises(asyncpg.PostgresError):
                await reader.scalar(text(statement))
    assert [runs.count(statement) for statement in MISTAKES] == [1] * len(MISTAKES)
    assert [runs.count(statement) for statement in MISSING] == [2] * len(MISSING)


def test_the_pool_is_split() -> None:
    """Primary and replica together have no more connections than the setting says."""
    used = settings(database_pool_size=3, database_read_url=NOWHERE)
    assert [part.database_pool_size for part in used.split()] == [2, 1]
    with pytest.raises(ValidationError, match="2 or more"):
        settings(database_pool_size=1, database_read_url=NOWHERE)
