"""A server that others may use too: who uses it, and its databases."""

import asyncio
import contextlib
import time

import asyncpg

from tests.harness.postgres.failures import HarnessError
from tests.harness.postgres.naming import OWNED

OLDEST = 140000

DEAD = """
SELECT datname FROM pg_database AS d
WHERE datname ~ $1 AND pg_get_userbyid(datdba) = current_user
AND NOT EXISTS (
    SELECT FROM pg_stat_activity
    WHERE application_name = substring(d.datname FROM '^pytest_[0-9a-f]{12}')
)
"""

PATIENCE = 30.0
"""Seconds to wait until no other session uses the database to clone."""

CLOSING = 0.25
"""Seconds to wait for the end of sessions before a database is dropped."""

POLL = 0.01


async def connect(url: str, key: str) -> asyncpg.Connection:
    """Return a connection that shows to other runs that this process is alive.

    Raises:
        HarnessError: the server cannot be reached.
    """
    try:
        return await asyncpg.connect(url, server_settings={"application_name": key}, timeout=10)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise HarnessError(
            f"The server of TEST_DATABASE_URL cannot be used: {str(error) or 'no answer'}. "
            "Start it, correct the URL, or unset it to get an embedded server."
        ) from error


async def check(connection: asyncpg.Connection) -> None:
    """Check that the server and the role can be used.

    Raises:
        HarnessError: they cannot be used.
    """
    version = await connection.fetchval("SELECT current_setting('server_version_num')::int")
    if version < OLDEST:
        raise HarnessError(
            f"The server of TEST_DATABASE_URL is PostgreSQL {version // 10000}: "
            "use 14 or newer, or unset it to get an embedded server."
        )
    role = await connection.fetchval("SELECT current_user")
    if not await connection.fetchval(
        "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
    ):
        raise HarnessError(
            f"The role {role} of TEST_DATABASE_URL may not create databases: "
            f'run `ALTER ROLE "{role}" CREATEDB` as a superuser, or unset TEST_DATABASE_URL '
            "to get an embedded server."
        )


async def sweep(connection: asyncpg.Connection) -> None:
    """Drop the databases of dead test processes, and no others.

    A live process is in `pg_stat_activity` as long as it has databases.
    """
    for record in await connection.fetch(DEAD, OWNED):
        # Another run may do the same. The next run drops what cannot be dropped now.
        with contextlib.suppress(asyncpg.PostgresError):
            await drop(connection, record["datname"])


async def create(connection: asyncpg.Connection, name: str, options: str) -> None:
    """Create a database, and retry while another session prevents the cloning."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            await connection.execute(f'CREATE DATABASE "{name}" {options}')
        except asyncpg.ObjectInUseError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(POLL)
        else:
            return


async def drop(connection: asyncpg.Connection, name: str) -> None:
    """Drop a database, even a template, and end its sessions."""
    await _until_unused(connection, name)
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    except asyncpg.WrongObjectTypeError:
        await connection.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE false')
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def rename(connection: asyncpg.Connection, name: str, new_name: str) -> None:
    """Rename a database, and end its sessions."""
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
    )
    await _until_unused(connection, name)
    await connection.execute(f'ALTER DATABASE "{name}" RENAME TO "{new_name}"')


async def _until_unused(connection: asyncpg.Connection, name: str) -> None:
    """Wait for the last sessions to end. PostgreSQL itself checks only every 100 ms."""
    deadline = time.monotonic() + CLOSING
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1"
    while time.monotonic() < deadline:
        if not await connection.fetchval(count, name):
            return
        await asyncio.sleep(POLL)
