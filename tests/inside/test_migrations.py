"""Migrations wait for locks, drop remains of earlier attempts, and explain their failures."""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from alembic.config import Config

from orders.internal.database import migrate
from orders.internal.database.migrate import (
    MIGRATION_LOCK,
    CannotMigrateError,
    alembic_config,
    upgrade,
)
from orders.internal.database.revision import ROOT

REVISION = """
from alembic import op

revision = "{revision}"
down_revision = {follows!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
    {up}


def downgrade() -> None:
    pass
"""
BUILD = """with op.get_context().autocommit_block():
        op.execute('/* slow */ CREATE INDEX CONCURRENTLY "Ix" ON notes (id)')"""
WAITS = """
SELECT count(*) FROM pg_stat_activity
WHERE query LIKE '%CREATE INDEX CONCURRENTLY%' AND datname = current_database()
AND pid <> pg_backend_pid() AND wait_event_type = 'Lock'
AND now() - query_start > interval '0.3 s'
"""
TWO_TABLES = """op.execute('CREATE TABLE a (id int)')
    with op.get_context().autocommit_block():
        op.execute('CREATE TABLE b (id int)')
        op.execute('SELECT 1/0')"""
UNIQUE = """with op.get_context().autocommit_block():
        op.execute('CREATE UNIQUE INDEX CONCURRENTLY ix ON twice (x)')"""
REMAINS = """
SELECT to_regclass('a') IS NOT NULL OR EXISTS (SELECT FROM pg_index WHERE NOT indisvalid)
"""
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('\"Ix\"')"

Write = Callable[..., Config]


@pytest.fixture(name="connection")
async def _connection(postgres: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the test's database."""
    connection = await asyncpg.connect(postgres)
    yield connection
    await connection.close()


@pytest.fixture(name="write")
def _write(tmp_path: Path, postgres: str) -> Write:
    """A function that writes a history of revisions, and returns its configuration."""

    def write(*ups: str) -> Config:
        versions = tmp_path / "migrations/versions"
        versions.mkdir(parents=True)
        shutil.copy(ROOT / "alembic.ini", tmp_path)
        shutil.copy(ROOT / "migrations/env.py", tmp_path / "migrations")
        follows = None
        for number, up in enumerate(ups):
            text = REVISION.format(revision=f"r{number}", follows=follows, up=up)
            (versions / f"r{number}.py").write_text(text)
            follows = f"r{number}"
        return alembic_config(postgres, directory=tmp_path)

    return write


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - another process is waited for
            await asyncio.sleep(0.02)


async def hold_snapshot(url: str) -> asyncpg.Connection:
    """Return a connection whose open transaction every concurrent build waits for."""
    older = await asyncpg.connect(url)
    await older.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class")
    return older


async def test_a_concurrent_index_waits_for_an_older_transaction(
    write: Write, postgres: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock timeout of migrations does not cancel it, and holds again after it."""
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "100ms")
    then = "op.execute(\"CREATE TABLE shown AS SELECT current_setting('lock_timeout') AS value\")"
    config = write('op.execute("CREATE TABLE notes (id int)")', BUILD, then)
    older = await hold_snapshot(postgres)
    migrating = asyncio.create_task(upgrade(config))
    try:
        await until(lambda: connection.fetchval(WAITS))
        assert not migrating.done()
    finally:
        await older.close()
        await migrating
    assert await connection.fetchval(VALID) is True
    assert await connection.fetchval("SELECT value FROM shown") == "100ms"


async def test_an_index_of_an_interrupted_build_is_dropped_first(
    write: Write, postgres: str, connection: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """The next attempt names the INVALID index and builds it again."""
    config = write("pass", BUILD.replace("INDEX CONCURRENTLY", "INDEX CONCURRENTLY IF NOT EXISTS"))
    await connection.execute("CREATE TABLE notes (id int)")
    older = await hold_snapshot(postgres)
    await connection.execute("SET lock_timeout = '50ms'")
    with pytest.raises(asyncpg.LockNotAvailableError):
        await connection.execute('CREATE INDEX CONCURRENTLY "Ix" ON notes (id)')
    await older.close()
    assert await connection.fetchval(VALID) is False
    await upgrade(config)
    assert await connection.fetchval(VALID) is True
    assert 'left the index "Ix" INVALID: dropping it' in caplog.text


async def test_a_rebuild_drops_the_remains_of_an_interrupted_one(
    write: Write, postgres: str, connection: asyncpg.Connection
) -> None:
    """`REINDEX CONCURRENTLY` leaves an index with a name that PostgreSQL chose."""
    reindex = "REINDEX INDEX CONCURRENTLY ix"
    config = write(BUILD.replace('CREATE INDEX CONCURRENTLY "Ix" ON notes (id)', reindex))
    await connection.execute("CREATE TABLE notes (id int)")
    await connection.execute("CREATE INDEX ix ON notes (id)")
    older = await hold_snapshot(postgres)
    await connection.execute("SET lock_timeout = '50ms'")
    with pytest.raises(asyncpg.LockNotAvailableError):
        await connection.execute(reindex)
    await older.close()
    count = "SELECT count(*) FROM pg_index WHERE indrelid = 'notes'::regclass"
    assert await connection.fetchval(count) == 2
    await upgrade(config)
    assert await connection.fetchval(count) == 1


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("op.execute('CREATE TABLE a (id int)'); op.execute('SELECT 1/0')", "It changed nothing"),
        (TWO_TABLES, "before stays: CREATE TABLE a (id int); CREATE TABLE b (id int)"),
        (UNIQUE, "It may have left the index ix INVALID"),
    ],
    ids=["in a transaction", "outside of it", "a unique index"],
)
async def test_a_failure_reports_what_is_committed(
    write: Write, connection: asyncpg.Connection, statement: str, expected: str
) -> None:
    """The message has the revision, its line and its SQL, and the revisions already committed."""
    await connection.execute("CREATE TABLE twice AS SELECT 1 AS x FROM generate_series(1, 2)")
    config = write("pass", statement)
    with pytest.raises(CannotMigrateError) as raised:
        await upgrade(config)
    message = str(raised.value)
    assert message.startswith("The upgrade of r1 failed.\n")
    assert "r1.py:" in message
    assert "SQL:" in message
    assert expected in message
    assert await connection.fetchval(REMAINS) == ("nothing" not in expected)


async def test_a_lock_timeout_is_explained(
    write: Write, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Migrations do not wait long for a table that another transaction uses."""
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "50ms")
    config = write('op.execute("ALTER TABLE notes ADD x int")')
    await connection.execute("CREATE TABLE notes (id int)")
    await connection.execute("BEGIN; LOCK TABLE notes")
    with pytest.raises(CannotMigrateError, match=r"It changed nothing.*\n.*try again when it has"):
        await upgrade(config)


async def test_a_role_without_the_right_to_create_tables_gets_an_explanation(
    write: Write, postgres: str, connection: asyncpg.Connection
) -> None:
    """The message is short, and contains the privilege to grant."""
    config = write("pass")
    role = f"weak_{uuid4().hex}"
    await connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'a'")
    server = urlsplit(postgres).netloc.rpartition("@")[2]
    config.attributes["database_url"] = f"postgresql://{role}:a@{server}{urlsplit(postgres).path}"
    with pytest.raises(CannotMigrateError, match="permission denied for schema public") as raised:
        await upgrade(config)
    assert "GRANT CREATE ON SCHEMA public" in str(raised.value)
    assert len(str(raised.value).splitlines()) < 4
    await connection.execute(f"DROP ROLE {role}")


async def test_the_database_of_the_settings_is_the_default(
    postgres: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration job needs the database's URL and no other setting, in production too."""
    monkeypatch.setenv("DATABASE_URL", postgres)
    monkeypatch.setenv("ORDERS_ENVIRONMENT", "production")
    await upgrade(alembic_config())
    assert await connection.fetchval("SELECT to_regclass('products')::text")


async def test_a_replica_that_waits_for_a_migration_logs_it(
    write: Write, connection: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the server process that migrates."""
    config = write("pass")
    await connection.execute(f"SELECT pg_advisory_lock({MIGRATION_LOCK})")
    holder = await connection.fetchval("SELECT pg_backend_pid()")
    migrating = asyncio.create_task(upgrade(config))

    async def is_logged() -> bool:
        return f"Another process (server process {holder}) migrates" in caplog.text

    await until(is_logged)
    await connection.execute(f"SELECT pg_advisory_unlock({MIGRATION_LOCK})")
    await migrating


async def test_an_older_version_keeps_a_newer_schema(
    write: Write, connection: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """While a newer version rolls out, a replica of the older one may restart and migrate."""
    config = write("pass")
    await upgrade(config)
    await connection.execute("UPDATE alembic_version SET version_num = 'newer'")
    with caplog.at_level(logging.WARNING):
        await upgrade(config)
    assert await connection.fetchval("SELECT version_num FROM alembic_version") == "newer"
    assert "The schema is at newer, which a newer version of the service made" in caplog.text
