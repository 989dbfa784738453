"""Detect a connection pooler in transaction mode."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

from ..feature import StartError

ROUNDS: Final = 5
MIXED_UP: Final = (asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError)
"""Errors of a prepared statement that belongs to another client or session."""

PID: Final = "SELECT pg_backend_pid()"


class TransactionPoolingError(StartError):
    """The connection pooler may use another server session for each transaction."""

    def __init__(self, setting: str) -> None:
        super().__init__(
            f"{setting} leads to a connection pooler in transaction mode, such as PgBouncer with"
            " pool_mode=transaction, where clients share sessions. Use its session mode"
            " (pool_mode=session), or the address of the server itself."
        )


async def refuse_shared_sessions(
    connect: Callable[[], Awaitable[asyncpg.Connection]], setting: str
) -> None:
    """Check whether two connections of a database share a server session.

    Args:
        connect: opens a connection.
        setting: names the URL of the database in the error.

    Raises:
        TransactionPoolingError: they do.
    """
    connection = await connect()
    try:
        pid = await _session(connection)
        if pid == connection.get_server_pid():
            return  # the server itself answers, not a pooler
        for _ in range(ROUNDS):
            if await _shares(connection, pid, connect):
                raise TransactionPoolingError(setting)
    except MIXED_UP as error:
        raise TransactionPoolingError(setting) from error
    except TimeoutError:
        return  # the second connection waits for a session: the pooler is in session mode
    finally:
        connection.terminate()


async def _shares(
    connection: asyncpg.Connection, pid: int, connect: Callable[[], Awaitable[asyncpg.Connection]]
) -> bool:
    second = await connect()
    try:
        async with second.transaction():
            return await second.fetchval(PID) == pid or await _session(connection) != pid
    finally:
        second.terminate()


async def _session(connection: asyncpg.Connection) -> int:
    async with asyncio.timeout(5), connection.transaction():
        return int(await connection.fetchval(PID))
