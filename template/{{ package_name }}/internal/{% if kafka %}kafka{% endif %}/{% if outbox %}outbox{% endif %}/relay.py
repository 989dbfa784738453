"""Sends what is in the outbox, and deletes what the brokers have acknowledged."""

import asyncio
import contextlib
import random
from time import monotonic
from typing import Any, Self

import asyncpg
import structlog

from ...database import DatabaseUnavailable
from ..errors import BrokersUnavailable
from ..sender import Sender
from .dispatch import Dispatch, Outcome, Saved
from .leadership import LOST, leadership

BATCH = 500
UNKNOWN_TOPIC_PATIENCE = 10.0
"""Seconds that a topic may need to appear before its events are set aside."""

PRUNE_INTERVAL = 600.0
PRUNED_AT_ONCE = 10_000

NEXT = """
SELECT id, topic, key, value, headers FROM internal.outbox
WHERE error IS NULL AND topic <> ALL ($1) ORDER BY id LIMIT $2
"""
SENT = "DELETE FROM internal.outbox WHERE id = ANY ($1)"
REFUSED = "UPDATE internal.outbox SET error = $2 WHERE id = $1"
PRUNE = """
DELETE FROM internal.inbox WHERE (consumer, message_id) IN (
    SELECT consumer, message_id FROM internal.inbox
    WHERE handled_at < now() - $1 * interval '1 day' LIMIT $2
)
"""

logger = structlog.get_logger(__name__)


class Relay:
    """Runs for as long as the service; of several replicas one at a time sends."""

    def __init__(self, settings: Any, sender: Sender) -> None:  # noqa: ANN401 - several mixins
        self._settings = settings
        self._sender = sender
        self._news = asyncio.Event()
        self._alone: set[int] = set()
        self._missing_since: dict[str, float] = {}
        self._pruned = -PRUNE_INTERVAL
        self._task: asyncio.Task[None] | None = None
        self.leads = False

    async def __aenter__(self) -> Self:
        """Begin; nobody waits for it."""
        self._task = asyncio.create_task(self._keep_relaying(), name="outbox-relay")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop; what is left is sent by another replica, or at the next start."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_relaying(self) -> None:
        failures = 0
        while True:
            started = monotonic()
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
            except (*LOST, DatabaseUnavailable) as error:
                failures = 1 if monotonic() - started > 60 else failures + 1  # noqa: PLR2004
                if failures == 1:
                    logger.warning("outbox relay interrupted", reason=repr(error))
            except Exception:
                failures += 1
                logger.exception("outbox relay failed")
            finally:
                self.leads = False
            await asyncio.sleep(random.uniform(0.5, 1) * min(0.2 * failures, 5))  # noqa: S311

    async def _relay(self, connection: asyncpg.Connection) -> None:
        while True:
            self._news.clear()
            progressed = await self._pass(connection)
            await self._prune(connection)
            if not progressed:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.kafka_outbox_poll):
                        await self._news.wait()

    async def _pass(self, connection: asyncpg.Connection) -> bool:
        """Send what is next; return whether anything was settled."""
        rows = await connection.fetch(NEXT, self._absent(), BATCH)
        if not rows:
            return False
        try:
            producer = self._sender.connected()
        except BrokersUnavailable:
            return False
        dispatch = Dispatch(producer, self._settings.kafka_max_event_size, self._alone)
        outcome = await dispatch.send([Saved.of(row) for row in rows])
        self._alone = outcome.suspects
        if outcome.failure:
            logger.warning("outbox not sent", reason=repr(outcome.failure))
            self._sender.replace(producer)
        await self._settle(connection, outcome)
        return bool(outcome.sent or outcome.refused or outcome.suspects)

    async def _settle(self, connection: asyncpg.Connection, outcome: Outcome) -> None:
        if outcome.sent:
            await connection.execute(SENT, outcome.sent)
        for event_id, error in outcome.refused.items():
            logger.error("event set aside", outbox_id=event_id, error=error)
            await connection.execute(REFUSED, event_id, error)
        for topic in outcome.known_topics:
            self._missing_since.pop(topic, None)
        if outcome.unknown_topics and await self._brokers_answer():
            await self._note_missing(connection, outcome.unknown_topics)

    async def _brokers_answer(self) -> bool:
        with contextlib.suppress(BrokersUnavailable, TimeoutError):
            async with asyncio.timeout(self._settings.kafka_request_timeout):
                await self._sender.check()
            return True
        return False

    async def _note_missing(self, connection: asyncpg.Connection, topics: set[str]) -> None:
        now = monotonic()
        for topic in topics:
            since = self._missing_since.setdefault(topic, now)
            if now - since > UNKNOWN_TOPIC_PATIENCE:
                del self._missing_since[topic]
                logger.error("events set aside", topic=topic, error="there is no such topic")
                await connection.execute(
                    "UPDATE internal.outbox SET error = $2 WHERE topic = $1 AND error IS NULL",
                    topic,
                    "there is no such topic, and brokers do not make it",
                )

    def _absent(self) -> list[str]:
        """Return the topics to pass over this time: each has a look every other second."""
        now = monotonic()
        stale = [one for one, since in self._missing_since.items() if now - since > 300]  # noqa: PLR2004
        for topic in stale:
            del self._missing_since[topic]
        return [one for one, since in self._missing_since.items() if int(now - since) % 2 == 0]

    async def _prune(self, connection: asyncpg.Connection) -> None:
        if monotonic() - self._pruned > PRUNE_INTERVAL:
            self._pruned = monotonic()
            days = self._settings.kafka_inbox_retention
            status, some = "", f"DELETE {PRUNED_AT_ONCE}"
            while status in ("", some):
                status = await connection.execute(PRUNE, days, PRUNED_AT_ONCE)
