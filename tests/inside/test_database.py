"""The session manager classifies errors, allows several databases, and recovers from outages."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Self
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from orders.internal.database import (
    CheckViolation,
    DatabaseError,
    DatabaseSessionManager,
    DatabaseUnavailable,
    ForeignKeyViolation,
    NotNullViolation,
    StatementTimeout,
    TransactionConflict,
    UniqueViolation,
)
from orders.internal.database.errors import ReadOnlyServer
from orders.internal.database.pool_guard import PoolGuard
from orders.internal.database.session_manager import NotInitialisedError

from .helpers import NOWHERE, serve_on, settings

TABLES = (
    "CREATE TABLE parent (id int PRIMARY KEY, size int NOT NULL CHECK (size > 0))",
    "CREATE TABLE child (parent_id int REFERENCES parent)",
    "INSERT INTO parent VALUES (1, 1)",
)

NEW_TYPE = """
ALTER TYPE kind RENAME TO old;
CREATE TYPE kind AS ENUM ('a', 'b');
ALTER TABLE thing ALTER COLUMN kind TYPE kind USING kind::text::kind;
DROP TYPE old
"""


@pytest.fixture(name="database")
async def _database(postgres: str) -> AsyncIterator[DatabaseSessionManager]:
    manager = DatabaseSessionManager.from_settings(
        settings(database_url=str(postgres), database_pool_size=1, database_max_overflow=1)
    )
    async with manager.connect() as connection:
        for statement in TABLES:
            await connection.execute(text(statement))
    yield manager
    await manager.close()


@pytest.mark.parametrize(
    ("statement", "kind", "constraint"),
    [
        ("INSERT INTO parent VALUES (1, 1)", UniqueViolation, "parent_pkey"),
        ("INSERT INTO child VALUES (2)", ForeignKeyViolation, "child_parent_id_fkey"),
        ("INSERT INTO parent VALUES (2, 0)", CheckViolation, "parent_size_check"),
        ("INSERT INTO parent VALUES (2, NULL)", NotNullViolation, None),
        ("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$", TransactionConflict, None),
        ("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$", TransactionConflict, None),
        ("DO $$ BEGIN RAISE SQLSTATE '53100'; END $$", DatabaseUnavailable, None),
        ("DO $$ BEGIN RAISE SQLSTATE '55P03'; END $$", DatabaseUnavailable, None),
        ("DO $$ BEGIN RAISE SQLSTATE '57014'; END $$", StatementTimeout, None),
        ("DO $$ BEGIN RAISE SQLSTATE '25006'; END $$", ReadOnlyServer, None),
        ("SELECT pg_terminate_backend(pg_backend_pid())", DatabaseUnavailable, None),
    ],
)
async def test_errors_have_distinct_types(
    database: DatabaseSessionManager,
    statement: str,
    kind: type[DatabaseError],
    constraint: str | None,
) -> None:
    """Each of PostgreSQL's classes has one type, with the constraint's name if there is one."""
    with pytest.raises(DatabaseError) as error:
        async with database.session() as session:
            await session.execute(text(statement))
    assert type(error.value) is kind
    assert error.value.constraint == constraint


async def test_an_error_in_the_sql_is_not_translated(database: DatabaseSessionManager) -> None:
    """It is a bug of the service, not a fault of the database or the client."""
    with pytest.raises(ProgrammingError):
        async with database.session() as session:
            await session.execute(text("SELECT nonsense"))


async def test_an_error_of_the_caller_is_raised_unchanged(database: DatabaseSessionManager) -> None:
    """An OSError of the caller does not count as a lost database, and rolls back."""
    with pytest.raises(FileNotFoundError):
        await _insert_and_fail(database)
    async with database.session(read_only=True) as session:
        assert await session.scalar(text("SELECT count(*) FROM parent")) == 1


async def _insert_and_fail(database: DatabaseSessionManager) -> None:
    async with database.session() as session:
        await session.execute(text("INSERT INTO parent VALUES (2, 1)"))
        raise FileNotFoundError


async def test_managers_are_independent(
    database: DatabaseSessionManager, migrated_postgres: str
) -> None:
    """A second manager, on another database, does not affect the first."""
    other = DatabaseSessionManager()
    other.init(str(migrated_postgres))
    async with database.session() as first_session, other.session() as second_session:
        first_name = await first_session.scalar(text("SELECT current_database()"))
        second_name = await second_session.scalar(text("SELECT current_database()"))
    assert first_name != second_name
    await other.close()
    async with database.session(read_only=True) as session:
        assert await session.scalar(text("SELECT current_database()")) == first_name


async def test_a_manager_is_opened_and_closed_once(postgres: str) -> None:
    """Use before init or after close, and a second init, are errors that say what to do."""
    manager = DatabaseSessionManager()
    with pytest.raises(NotInitialisedError):
        async with manager.session():
            pass
    manager.init(str(postgres))
    with pytest.raises(RuntimeError, match="close it first"):
        manager.init(str(postgres))
    await manager.close()
    await manager.close()
    with pytest.raises(NotInitialisedError):
        async with manager.connect():
            pass


async def test_an_unreachable_server_is_unavailable() -> None:
    """The error does not show the password."""
    manager = DatabaseSessionManager()
    manager.init(NOWHERE)
    with pytest.raises(DatabaseUnavailable) as error:
        async with manager.session() as session:
            await session.execute(text("SELECT 1"))
    assert "planted-password" not in str(error.value)


async def test_connecting_to_a_silent_server_times_out() -> None:
    """A server that accepts and never answers costs only the connect timeout."""

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    manager = DatabaseSessionManager()
    manager.init(f"postgresql://u:p@127.0.0.1:{port}/d", connect_timeout=0.2)
    try:
        async with asyncio.timeout(30):
            with pytest.raises(DatabaseUnavailable):
                async with manager.session() as session:
                    await session.execute(text("SELECT 1"))
    finally:
        await manager.close()
        server.close()


async def test_a_full_pool_times_out(postgres: str) -> None:
    """Requests beyond the pool wait as long as the setting says."""
    manager = DatabaseSessionManager()
    manager.init(str(postgres), pool_size=1, max_overflow=0, pool_timeout=0.1)
    async with manager.connect() as connection:
        await connection.execute(text("SELECT 1"))
        with pytest.raises(DatabaseUnavailable):
            async with manager.connect():
                pass
    async with manager.connect() as connection:
        await connection.execute(text("SELECT 1"))
    await manager.close()


async def test_a_slow_statement_is_cancelled(postgres: str) -> None:
    """The server ends it, so that it does not continue for nobody."""
    manager = DatabaseSessionManager.from_settings(
        settings(database_url=str(postgres), database_statement_timeout=0.1)
    )
    with pytest.raises(StatementTimeout):
        async with manager.session() as session:
            await session.execute(text("SELECT pg_sleep(10)"))
    await manager.close()


async def test_a_query_to_a_silent_server_times_out(postgres: str) -> None:
    """If the network drops everything, a request takes the statement timeout and a second."""
    address = urlsplit(str(postgres))
    silent = asyncio.Event()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not silent.is_set():
                writer.write(data)
        writer.close()

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(address.hostname, address.port)
        await asyncio.gather(pass_on(reader, there[1]), pass_on(there[0], writer))

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = str(postgres).replace(f":{address.port}/", f":{port}/")
    manager = DatabaseSessionManager.from_settings(
        settings(database_url=url, database_statement_timeout=0.2)
    )
    async with manager.session() as session:
        await session.execute(text("SELECT 1"))
    silent.set()
    async with asyncio.timeout(30):
        with pytest.raises(DatabaseUnavailable):
            async with manager.session() as session:
                await session.execute(text("SELECT 1"))
    silent.clear()
    async with manager.session() as session:
        assert await session.scalar(text("SELECT 1")) == 1
    await manager.close()
    server.close()


class SilentProxy:
    """A proxy on which existing connections can fall silent, as behind a firewall."""

    def __init__(self, url: str) -> None:
        self._there = urlsplit(url)
        self._dropped: set[int] = set()
        self._opened = 0

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = self._there.geturl().replace(f":{self._there.port}/", f":{port}/")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        self._server.close()

    def drop_all(self) -> None:
        """Deliver no more data on the connections that are open now."""
        self._dropped = set(range(self._opened))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self._opened
        self._opened += 1
        server = await asyncio.open_connection(self._there.hostname, self._there.port)

        async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    if number not in self._dropped:
                        target.write(data)
            target.close()

        await asyncio.gather(pass_on(reader, server[1]), pass_on(server[0], writer))


async def fill(manager: DatabaseSessionManager, count: int) -> list[object]:
    """Use this many connections at once, and return each result."""

    async def one() -> None:
        async with manager.session(read_only=True) as session:
            await session.execute(text("SELECT pg_sleep(0.05)"))

    return await asyncio.gather(*(one() for _ in range(count)), return_exceptions=True)


@pytest.mark.parametrize(("idle_limit", "failures"), [(0.0, 0), (600.0, 1)])
async def test_connections_that_a_firewall_dropped_cost_one_request_at_most(
    postgres: str, idle_limit: float, failures: int
) -> None:
    """Idle ones are tested before use. After one timeout, all older ones are replaced."""
    async with SilentProxy(str(postgres)) as proxy:
        manager = DatabaseSessionManager()
        manager.init(
            proxy.url,
            command_timeout=0.5,
            guard=PoolGuard(idle_limit=idle_limit),
            pool_size=6,
            max_overflow=0,
        )
        assert await fill(manager, 6) == [None] * 6
        proxy.drop_all()
        outcomes = [(await fill(manager, 1))[0] for _ in range(6)]
        assert [type(one) for one in outcomes if one] == [DatabaseUnavailable] * failures
        assert await fill(manager, 6) == [None] * 6
        await manager.close()


async def test_the_service_recovers_from_a_failover(migrated_postgres: str) -> None:
    """A read-only server answers writes with 503. Later, writes work without a restart."""
    url = str(migrated_postgres)
    body = {"sku": "FAIL-1", "name": "n", "price": "1"}
    admin = await asyncpg.connect(url)
    name = await admin.fetchval("SELECT current_database()")
    try:
        async with serve_on(url) as (app, client):
            # Like a standby: connections opened from now on are read-only.
            await admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
            await app.state.database.close()
            app.state.database.init(url, pool_size=3)
            refused = await client.post("/api/v1/products", json=body)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert (await client.get("/api/v1/products")).status_code == 200
            checks = (await client.get("/healthcheck/ready")).json()["data"]["checks"]
            assert "accepts no writes" in checks["database-writes"]["detail"]
            await admin.execute("SET default_transaction_read_only = off")
            await admin.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
            async with asyncio.timeout(60):
                while (await client.post("/api/v1/products", json=body)).is_error:  # noqa: ASYNC110 - the server's state
                    await asyncio.sleep(0.1)
            checks = (await client.get("/healthcheck/ready")).json()["data"]["checks"]
            assert checks["database-writes"]["detail"] == "accepts writes"
    finally:
        await admin.close()


async def test_a_read_after_a_migration_is_repeated(postgres: str) -> None:
    """A column's new type, and a new enum type of the same name, cause no error."""
    manager = DatabaseSessionManager()
    manager.init(str(postgres), pool_size=1, max_overflow=0)
    query = text("SELECT * FROM thing WHERE kind = CAST(:kind AS kind)")
    admin = await asyncpg.connect(str(postgres))
    await admin.execute(
        "CREATE TYPE kind AS ENUM ('a'); CREATE TABLE thing (name varchar(9), kind kind)"
    )
    for change in ("SELECT 1", "ALTER TABLE thing ALTER COLUMN name TYPE text", NEW_TYPE):
        await admin.execute(change)
        for _ in range(2):
            async with manager.session(read_only=True) as session:
                assert (await session.execute(query, {"kind": "a"})).all() == []
    await admin.close()
    await manager.close()


async def test_an_idle_transaction_that_is_ended_is_not_an_outage(postgres: str) -> None:
    """The server ends it, and another attempt would only take as long."""
    manager = DatabaseSessionManager.from_settings(
        settings(database_url=str(postgres), database_idle_transaction_timeout=0.2)
    )
    with pytest.raises(StatementTimeout):
        await _idle(manager, 0.8)
    await manager.close()


async def _idle(manager: DatabaseSessionManager, seconds: float) -> None:
    async with manager.session() as session:
        await session.execute(text("SELECT 1"))
        await asyncio.sleep(seconds)
        await session.execute(text("SELECT 1"))


async def test_lost_connections_are_replaced_without_an_error(migrated_postgres: str) -> None:
    """The server drops every connection of the pool, and the next requests succeed."""
    url = str(migrated_postgres)
    async with serve_on(url) as (_, client):
        await asyncio.gather(*(client.get("/api/v1/products") for _ in range(5)))
        killer = await asyncpg.connect(url)
        await killer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await killer.close()
        await asyncio.sleep(0.1)
        responses = await asyncio.gather(*(client.get("/api/v1/products") for _ in range(5)))
    assert [response.status_code for response in responses] == [200] * 5


async def test_a_cancelled_request_gives_its_connection_back(postgres: str) -> None:
    """A disconnected client leaves no connection checked out."""
    manager = DatabaseSessionManager()
    manager.init(str(postgres), pool_size=1, max_overflow=0, pool_timeout=2)

    async def wait() -> None:
        async with manager.session() as session:
            await session.execute(text("SELECT pg_sleep(10)"))

    task = asyncio.create_task(wait())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with manager.session() as session:
        assert await session.scalar(text("SELECT 1")) == 1
    await manager.close()
