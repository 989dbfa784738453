"""Sends the events in the outbox, and deletes those that brokers have acknowledged."""

import asyncio
import contextlib
from typing import Any, Self

import asyncpg
import structlog
from sqlalchemy import func, select

from ...database import DatabaseSessionManager, DatabaseUnavailable, database_errors
from ...feature import NotReadyError
from ...resources import Resources
from ..background import Retries, cancel
from ..errors import BrokersUnavailable
from ..sender import Sender
from ..settings import KafkaSettings
from .inbox import Pruning
from .leadership import LOST, leadership
from .lines import Lines
from .tables import outbox

STOP_TIMEOUT = 2.0
"""Seconds that brokers have to acknowledge the last batches when the service stops."""

COUNTED = 10_000
"""The probe counts no more events than this, so that it stays cheap."""

logger = structlog.get_logger(__name__)


class Relay:
    """Sends the outbox for as long as the service runs. One replica at a time does so."""

    def __init__(self, settings: Any, sender: Sender) -> None:  # noqa: ANN401 - several mixins
        self._settings = settings
        self._sender = sender
        self._news = asyncio.Event()
        self._lines = Lines(settings, sender, self._news.set)
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
        await self._lines.close()

    @property
    def troubles(self) -> str:
        """What is held up, and why. Empty in a replica that does not lead."""
        return self._lines.troubles.describe() if self.leads else ""

    async def _keep_relaying(self) -> None:
        retries = Retries("outbox relay interrupted", (*LOST, DatabaseUnavailable))
        while True:
            async with retries.attempt():
                try:
                    async with leadership(
                        self._settings.database_url,
                        poll=self._settings.kafka_outbox_poll,
                        timeout=self._settings.database_connect_timeout,
                        wake=self._news.set,
                    ) as connection:
                        self.leads = True
                        logger.info("outbox relay leads")
                        await self._relay(connection)
                finally:
                    self.leads = False

    async def _relay(self, connection: asyncpg.Connection) -> None:
        try:
            while True:
                self._news.clear()
                progressed = await self._pass(connection)
                pruned = await self._pruning.step(connection)
                await self._rest(idle=not progressed and not pruned)
        except asyncio.CancelledError:
            # Brokers may have the last batches: the next leader sends again what is not deleted.
            await self._lines.wait(STOP_TIMEOUT)
            with contextlib.suppress(*LOST):
                await self._lines.settle(connection)
            raise

    async def _rest(self, *, idle: bool) -> None:
        """Wait for new events if idle. Wait longer if a search takes the database long."""
        poll = self._settings.kafka_outbox_poll
        effort = self._lines.effort
        await asyncio.sleep(min(10 * effort, poll) if idle else effort)
        if idle:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(poll):
                    await self._news.wait()

    async def _pass(self, connection: asyncpg.Connection) -> bool:
        """Send the next batches. Return whether anything was sent or settled."""
        settled = await self._lines.settle(connection)
        try:
            producer = await self._sender.soon_connected()
        except BrokersUnavailable:
            return settled
        return await self._lines.send(connection, producer) or settled


class OutboxStuckError(NotReadyError):
    """Events have waited too long, or something keeps them from being sent."""


async def measure(database: DatabaseSessionManager) -> tuple[int, float, int]:
    """Return the number of waiting events, the age of the oldest, and the number set aside."""
    waiting = outbox.c.error.is_(None)
    some = select(outbox.c.id).where(waiting).limit(COUNTED + 1).subquery()
    oldest = (
        select(func.extract("epoch", func.now() - outbox.c.saved_at))
        .where(waiting)
        .order_by(outbox.c.id)
        .limit(1)
    )
    aside = select(func.count()).select_from(outbox).where(~waiting)
    query = select(
        select(func.count()).select_from(some).scalar_subquery(),
        func.coalesce(oldest.scalar_subquery(), 0),
        aside.scalar_subquery(),
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
    state = f"{counted} events wait, the oldest for {age:.1f} s; {set_aside} are set aside"
    if troubles := resources.get(Relay).troubles:
        raise OutboxStuckError(f"{state}; held up: {troubles}")
    if age > resources.get(KafkaSettings).kafka_outbox_max_age:
        raise OutboxStuckError(state)
    return state
