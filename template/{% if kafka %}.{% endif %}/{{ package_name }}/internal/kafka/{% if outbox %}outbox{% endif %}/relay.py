"""Sends the events in the outbox, and deletes those that brokers have acknowledged.

One replica at a time does so: two would break the order of events.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Self

import asyncpg
import structlog
from sqlalchemy import func, select

from ...database import DatabaseSessionManager, DatabaseUnavailable, database_errors
from ...database.engine import connect
from ...feature import NotReadyError
from ...resources import Resources
from ..background import Retries, cancel
from ..errors import BrokersUnavailable
from ..sender import Sender
from ..settings import KafkaSettings
from .dispatcher import Dispatcher
from .inbox import Pruning
from .tables import CHANNEL, outbox

STOP_TIMEOUT = 2.0
"""Seconds that brokers have to acknowledge the last batches when the service stops."""

COUNTED = 10_000
"""The probe counts no more events than this, so that it stays cheap."""

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

logger = structlog.get_logger(__name__)


class Relay:
    """Sends the outbox for as long as the service runs. One replica at a time does so."""

    def __init__(self, settings: Any, sender: Sender) -> None:  # noqa: ANN401 - several mixins
        self._settings = settings
        self._sender = sender
        self._wake_up = asyncio.Event()
        self._dispatcher = Dispatcher(settings, sender, self._wake_up.set)
        self._pruning = Pruning(settings.kafka_inbox_retention)
        self._task: asyncio.Task[None] | None = None
        self.leads = False

    async def __aenter__(self) -> Self:
        """Start, without waiting for the database or the brokers."""
        self._task = asyncio.create_task(self._keep_relaying(), name="outbox-relay")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop. Another replica, or the next start, sends the rest."""
        if self._task:
            await cancel(self._task)
        await self._dispatcher.close()

    @property
    def failures(self) -> str:
        """What is held up, and why. Empty in a replica that does not lead."""
        return self._dispatcher.failures.describe() if self.leads else ""

    async def _keep_relaying(self) -> None:
        retries = Retries("outbox relay interrupted", (*LOST, DatabaseUnavailable))
        while True:
            async with retries.attempt():
                try:
                    async with leadership(
                        self._settings.database_url,
                        poll=self._settings.kafka_outbox_poll,
                        timeout=self._settings.database_connect_timeout,
                        wake=self._wake_up.set,
                    ) as connection:
                        self.leads = True
                        logger.info("outbox relay leads")
                        await self._relay(connection)
                finally:
                    self.leads = False

    async def _relay(self, connection: asyncpg.Connection) -> None:
        try:
            while True:
                self._wake_up.clear()
                progressed = await self._send_next(connection)
                pruned = await self._pruning.step(connection)
                await self._pause(idle=not progressed and not pruned)
        except asyncio.CancelledError:
            # Brokers may have the last batches: the next leader sends again what is not deleted.
            await self._dispatcher.wait(STOP_TIMEOUT)
            with contextlib.suppress(*LOST):
                await self._dispatcher.settle(connection)
            raise

    async def _pause(self, *, idle: bool) -> None:
        """Wait for new events if idle. Wait longer if a search takes the database long."""
        poll = self._settings.kafka_outbox_poll
        search_seconds = self._dispatcher.search_seconds
        await asyncio.sleep(min(10 * search_seconds, poll) if idle else search_seconds)
        if idle:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(poll):
                    await self._wake_up.wait()

    async def _send_next(self, connection: asyncpg.Connection) -> bool:
        """Send the next batches. Return whether anything was sent or settled."""
        settled = await self._dispatcher.settle(connection)
        try:
            producer = await self._sender.soon_connected()
        except BrokersUnavailable:
            return settled
        return await self._dispatcher.send(connection, producer) or settled


class OutboxStuckError(NotReadyError):
    """Events have waited too long, or something keeps them from being sent."""


async def measure(database: DatabaseSessionManager) -> tuple[int, float, int]:
    """Return the number of waiting events, the age of the oldest, and the number set aside."""
    waiting = outbox.c.error.is_(None)
    counted_rows = select(outbox.c.id).where(waiting).limit(COUNTED + 1).subquery()
    oldest = (
        select(func.extract("epoch", func.now() - outbox.c.saved_at))
        .where(waiting)
        .order_by(outbox.c.id)
        .limit(1)
    )
    set_aside_rows = select(func.count()).select_from(outbox).where(~waiting)
    query = select(
        select(func.count()).select_from(counted_rows).scalar_subquery(),
        func.coalesce(oldest.scalar_subquery(), 0),
        set_aside_rows.scalar_subquery(),
    )
    async with database.session(read_only=True) as session:
        with database_errors():
            depth, age, set_aside = (await session.execute(query)).one()
    return int(depth), float(age), int(set_aside)


async def outbox_moves(resources: Resources) -> str:
    """Return how many events wait, for how long, and how many are set aside.

    Raises:
        OutboxStuckError: an event has waited for longer than KAFKA_OUTBOX_MAX_AGE, or this replica
            leads and cannot send.
    """
    depth, age, set_aside = await measure(resources.get(DatabaseSessionManager))
    counted = str(depth) if depth <= COUNTED else f"over {COUNTED}"
    summary = f"{counted} events wait, the oldest for {age:.1f} s; {set_aside} are set aside"
    if failures := resources.get(Relay).failures:
        raise OutboxStuckError(f"{summary}; held up: {failures}")
    if age > resources.get(KafkaSettings).kafka_outbox_max_age:
        raise OutboxStuckError(summary)
    return summary


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
