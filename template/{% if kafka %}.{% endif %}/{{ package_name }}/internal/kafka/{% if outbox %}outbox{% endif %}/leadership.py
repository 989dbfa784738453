"""Of all replicas one sends what is in the outbox, or the order of its events would be lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

import asyncpg

from ...database.engine import connect
from .tables import CHANNEL

LEADER_LOCK: Final = 0x6F7574626F78
"""Key of the advisory lock that only one replica can hold ("outbox" in ASCII)."""

TRY: Final = "SELECT pg_try_advisory_lock($1)"

COMMAND_TIMEOUT = 15.0
"""Seconds until a server that does not answer is given up; it cuts statements short itself."""

SERVER_SETTINGS: Final = {
    "application_name": "outbox relay",
    "statement_timeout": "10000",
    # A leader whose machine is gone is noticed by the server within half a minute.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

LOST: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a lost database raises."""


@contextlib.asynccontextmanager
async def leadership(
    url: str,
    *,
    poll: float,
    timeout: float,  # noqa: ASYNC109 - of the connection
    wake: Callable[[], None],
) -> AsyncIterator[asyncpg.Connection]:
    """Wait until no other replica leads, and give the connection that holds the lock.

    Losing the connection is losing the lead: nothing can be deleted any more on what was lost.

    Args:
        url: the database.
        poll: seconds between two tries.
        timeout: seconds until the server is given up.
        wake: called whenever events have been saved, and when the connection is lost.
    """
    connection = await connect(
        url,
        connect_timeout=timeout,
        command_timeout=COMMAND_TIMEOUT,
        server_settings=SERVER_SETTINGS,
    )
    try:
        while not await connection.fetchval(TRY, LEADER_LOCK):  # noqa: ASYNC110 - of the server
            await asyncio.sleep(poll)

        def told(*_: object) -> None:
            wake()

        await connection.add_listener(CHANNEL, told)
        connection.add_termination_listener(told)
        try:
            yield connection
        finally:
            with contextlib.suppress(*LOST):
                async with asyncio.timeout(2):
                    await connection.remove_listener(CHANNEL, told)
    finally:
        await _close(connection)


async def _close(connection: asyncpg.Connection) -> None:
    with contextlib.suppress(*LOST):
        await connection.close(timeout=2)
    if not connection.is_closed():
        connection.terminate()
