"""Statements that create, rename and drop databases."""

import asyncio
import time

import asyncpg

PATIENCE = 30.0
"""Seconds to wait until no other session uses the database to clone."""

CLOSING = 0.25
"""Seconds to wait for the end of sessions before a database is dropped."""

POLL = 0.01


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
