"""The few statements that make, mark and drop databases."""

import asyncio
import time

import asyncpg

PATIENCE = 30.0
"""Seconds to wait until nobody else uses the database that is to be copied."""

CLOSING = 0.25
"""Seconds in which the sessions of a database that is to go may end by themselves."""

POLL = 0.01


async def create(connection: asyncpg.Connection, name: str, options: str) -> None:
    """Create a database, trying again while another session is in the way of its copying."""
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
    """Drop a database, template or not, with the sessions that are still in it."""
    await _until_unused(connection, name)
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    except asyncpg.WrongObjectTypeError:
        await connection.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE false')
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def rename(connection: asyncpg.Connection, name: str, new_name: str) -> None:
    """Rename a database, ending the sessions that are still in it."""
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
    )
    await _until_unused(connection, name)
    await connection.execute(f'ALTER DATABASE "{name}" RENAME TO "{new_name}"')


async def _until_unused(connection: asyncpg.Connection, name: str) -> None:
    """Give the last sessions time to end: PostgreSQL itself looks every 100 ms only."""
    deadline = time.monotonic() + CLOSING
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1"
    while time.monotonic() < deadline:
        if not await connection.fetchval(count, name):
            return
        await asyncio.sleep(POLL)
