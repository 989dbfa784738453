"""Finds out whether a pooler on the way mixes the sessions of its clients."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

from ..feature import StartError

ROUNDS: Final = 5
MIXED_UP: Final = (asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError)
"""A prepared statement of another client, or one of ours that another session has."""

PID: Final = "SELECT pg_backend_pid()"


class TransactionPoolingError(StartError):
    """A pooler gives each transaction another session of the server."""

    def __init__(self) -> None:
        super().__init__(
            "DATABASE_URL leads to a connection pooler in transaction mode, such as PgBouncer with"
            " pool_mode=transaction, where clients share sessions. Use its session mode"
            " (pool_mode=session), or the address of the server itself."
        )


async def refuse_shared_sessions(opened: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
    """Look at two connections of a database whether they ever share a session of the server.

    Raises:
        TransactionPoolingError: they do.
    """
    first = await opened()
    try:
        pid = await _session(first)
        if pid == first.get_server_pid():
            return  # the server itself answers, not a pooler
        for _ in range(ROUNDS):
            if await _shares(first, pid, opened):
                raise TransactionPoolingError
    except MIXED_UP as error:
        raise TransactionPoolingError from error
    except TimeoutError:
        return  # the second one waits for a session, as only a pooler in session mode lets it
    finally:
        first.terminate()


async def _shares(
    first: asyncpg.Connection, pid: int, opened: Callable[[], Awaitable[asyncpg.Connection]]
) -> bool:
    second = await opened()
    try:
        async with second.transaction():
            return await second.fetchval(PID) == pid or await _session(first) != pid
    finally:
        second.terminate()


async def _session(connection: asyncpg.Connection) -> int:
    async with asyncio.timeout(5), connection.transaction():
        return int(await connection.fetchval(PID))
