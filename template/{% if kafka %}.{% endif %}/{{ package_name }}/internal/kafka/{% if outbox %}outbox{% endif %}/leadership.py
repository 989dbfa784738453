"""Elects the one replica that sends the outbox: two would break the order of events."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

import asyncpg

from ...database.engine import connect
from .tables import CHANNEL

LEADER_LOCK: Final = 0x6F7574626F78
"""Key of the advisory lock that only one replica can hold ("outbox" in ASCII)."""

TRY_LOCK: Final = "SELECT pg_try_advisory_lock($1)"

COMMAND_TIMEOUT = 15.0
"""Seconds until we give up a server that does not answer. It cancels statements earlier."""

SERVER_SETTINGS: Final = {
    "application_name": "outbox relay",
    "statement_timeout": "10000",
    # The server notices within half a minute that a leader's machine is gone.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

LOST: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""Errors that mean the connection to the database is lost."""


@contextlib.asynccontextmanager
async def leadership(
    url: str,
    *,
    poll: float,
    timeout: float,  # noqa: ASYNC109 - of the connection
    wake: Callable[[], None],
) -> AsyncIterator[asyncpg.Connection]:
    """Wait until no other replica leads, and yield the connection that holds the lock.

    A replica that loses the connection loses the lead, and can no longer delete sent events.

    Args:
        url: the database.
        poll: seconds between two tries.
        timeout: seconds to connect within.
        wake: called when events have been saved, and when the connection is lost.
    """
    connection = await connect(
        url,
        connect_timeout=timeout,
        command_timeout=COMMAND_TIMEOUT,
        server_settings=SERVER_SETTINGS,
    )
    try:
        while not await connection.fetchval(TRY_LOCK, LEADER_LOCK):  # noqa: ASYNC110 - of the server
            await asyncio.sleep(poll)

        def on_change(*_: object) -> None:
            wake()

        await connection.add_listener(CHANNEL, on_change)
        connection.add_termination_listener(on_change)
        try:
            yield connection
        finally:
            with contextlib.suppress(*LOST):
                async with asyncio.timeout(2):
                    await connection.remove_listener(CHANNEL, on_change)
    finally:
        await _close(connection)


async def _close(connection: asyncpg.Connection) -> None:
    with contextlib.suppress(*LOST):
        await connection.close(timeout=2)
    if not connection.is_closed():
        connection.terminate()
