"""Sends each partition's events on their own, so that one in trouble does not delay others."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed, TopicAuthorizationFailedError

from ..background import cancel
from ..connection import partition_of
from ..errors import BrokersUnavailable
from ..sender import REFUSALS, Sender
from .batches import VALID_TOPIC, Outcome, Place, Window, send
from .troubles import Troubles, reason_of

PATIENCE = 0.5
"""Seconds that other partitions wait for a slow one before they go on without it."""

ALONE = 60.0
"""Seconds that a topic's events are sent one by one after brokers refused a batch."""

SCAN = """
SELECT id, topic, key, octet_length(value) + octet_length(key) AS size FROM internal.outbox
WHERE error IS NULL AND id > $1 AND topic <> ALL ($2) ORDER BY id LIMIT $3
"""
LOAD = """
SELECT id, topic, key, value, headers FROM internal.outbox
WHERE id = ANY ($1) AND error IS NULL ORDER BY id
"""
SENT = "DELETE FROM internal.outbox WHERE id = ANY ($1)"
REFUSED = "UPDATE internal.outbox SET error = $2 WHERE id = $1"
PAGE = 500

logger = structlog.get_logger(__name__)


@dataclass
class Flight:
    """A batch that is being sent."""

    producer: AIOKafkaProducer
    task: asyncio.Task[Outcome]
    started: float


class Lines:
    """Sends events to partitions: at most one batch of each at a time."""

    def __init__(self, settings: Any, sender: Sender, wake: Callable[[], None]) -> None:  # noqa: ANN401
        self._settings = settings
        self._sender = sender
        self._wake = wake
        self._flights: dict[Place, Flight] = {}
        self._lookups: dict[str, asyncio.Task[list[int]]] = {}
        self._partitions: dict[str, list[int]] = {}
        self._alone: dict[str, float] = {}
        self.troubles = Troubles()
        self.effort = 0.0
        """Seconds that the last search took, if it had to pass many events that are held up."""

    async def send(self, connection: asyncpg.Connection, producer: AIOKafkaProducer) -> bool:
        """Send the next batch of every free partition. Return whether there was one.

        If an acknowledgment takes long, this returns before it: call `settle` later.
        """
        window = await self._choose(connection, producer)
        ids = [one for batch in window.batches.values() for one in batch]
        if not ids:
            return False
        places = {one: place for place, batch in window.batches.items() for one in batch}
        rows: dict[Place, list[Any]] = {}
        for row in await connection.fetch(LOAD, ids):
            rows.setdefault(places[row["id"]], []).append(row)
        for place, batch in rows.items():
            work = send(producer, place.partition or 0, batch, self._settings.kafka_max_event_size)
            task = asyncio.create_task(work, name=f"outbox-{place}")
            self._flights[place] = Flight(producer, task, monotonic())
        await self.wait(PATIENCE)
        self._wake_after(self._flights[place].task for place in rows)
        return True

    async def wait(self, timeout: float) -> None:  # noqa: ASYNC109 - its purpose
        """Wait until all batches are settled, for a limited time."""
        if tasks := [flight.task for flight in self._flights.values() if not self._is_late(flight)]:
            await asyncio.wait(tasks, timeout=timeout)

    async def settle(self, connection: asyncpg.Connection) -> bool:
        """Save the outcomes of finished batches. Return whether there were any."""
        done = {place: one for place, one in self._flights.items() if one.task.done()}
        sent: list[int] = []
        for place, flight in done.items():
            outcome = self._outcome(flight)
            sent += outcome.sent
            for event_id, error in outcome.refused.items():
                await self._set_aside(connection, event_id, error)
            self._react(place, flight, outcome)
        if sent:
            await connection.execute(SENT, sent)
        for place in done:
            del self._flights[place]
        self._report_late()
        self._collect_lookups()
        return bool(done)

    async def close(self) -> None:
        """Cancel all tasks. Batches that are being sent may still arrive."""
        tasks: list[asyncio.Task[Any]] = [flight.task for flight in self._flights.values()]
        tasks += self._lookups.values()
        await cancel(*tasks)

    async def _choose(self, connection: asyncpg.Connection, producer: AIOKafkaProducer) -> Window:
        """Choose rows in one snapshot: it never shows an event before an older one of its key."""
        now = monotonic()
        self._alone = {topic: until for topic, until in self._alone.items() if until > now}
        self._partitions.clear()
        busy = {*self._flights, *self.troubles.resting()}
        window = Window(busy, self._alone)
        invalid: list[int] = []
        after, page = 0, PAGE
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            while not window.is_full:
                blocked = self._blocked_topics(busy)
                rows = await connection.fetch(SCAN, after, blocked, page)
                topics = {row["topic"] for row in rows}
                await self._look_up(producer, topics)
                # A topic that was skipped once is skipped to the end, to keep its order.
                busy |= {Place(topic) for topic in topics if topic not in self._partitions}
                for row in rows:
                    if Place(row["topic"]) not in busy:
                        window.offer(row["id"], row["size"], self._place(row["topic"], row["key"]))
                    elif not VALID_TOPIC.fullmatch(row["topic"]):
                        invalid.append(row["id"])
                if len(rows) < page:
                    break
                after, page = rows[-1]["id"], PAGE * 10
        self.effort = monotonic() - now if page > PAGE else 0.0
        for event_id in invalid:
            await self._set_aside(connection, event_id, "its topic's name is not valid")
        return window

    def _blocked_topics(self, busy: set[Place]) -> list[str]:
        """Return the topics that cannot receive any event at the moment."""
        whole = {place.topic for place in busy if place.partition is None}
        whole |= self._lookups.keys()
        whole |= {
            topic
            for topic, numbers in self._partitions.items()
            if all(Place(topic, number) in busy for number in numbers)
        }
        return list(whole)

    def _place(self, topic: str, key: bytes) -> Place:
        """Return the partition of a key, as the default partitioner of every producer does."""
        numbers = self._partitions[topic]
        return Place(topic, partition_of(key, numbers, numbers))

    async def _look_up(self, producer: AIOKafkaProducer, topics: set[str]) -> None:
        """Find the partitions of topics. Topics that take long are skipped until then."""
        for topic in topics - self._partitions.keys() - self._lookups.keys():
            if VALID_TOPIC.fullmatch(topic):
                task = asyncio.create_task(self._find(producer, topic), name=f"outbox-{topic}")
                self._lookups[topic] = task
        if fresh := [self._lookups[topic] for topic in topics & self._lookups.keys()]:
            await asyncio.wait(fresh, timeout=PATIENCE)
            self._wake_after(fresh)
        self._collect_lookups()

    async def _find(self, producer: AIOKafkaProducer, topic: str) -> list[int]:
        async with asyncio.timeout(self._settings.kafka_request_timeout * 2):
            try:
                return sorted(await producer.partitions_for(topic))
            except KafkaError:
                await self._sender.check()  # blame the topic only if brokers answer
                raise

    def _wake_after(self, tasks: Iterable[asyncio.Task[Any]]) -> None:
        """Start another pass when one of these tasks is done."""
        for task in tasks:
            if not task.done():
                task.add_done_callback(lambda _: self._wake())

    def _collect_lookups(self) -> None:
        for topic in [topic for topic, task in self._lookups.items() if task.done()]:
            task = self._lookups.pop(topic)
            error = BrokersUnavailable("cut short") if task.cancelled() else task.exception()
            if error:
                self.troubles.note(Place(topic), reason_of(error, topic))
            else:
                self._partitions[topic] = task.result()

    def _outcome(self, flight: Flight) -> Outcome:
        """Return the outcome of a batch, however its task ended."""
        if flight.task.cancelled():
            return Outcome(failure=BrokersUnavailable("cut short"))
        error = flight.task.exception()
        if error is None:
            return flight.task.result()
        logger.error("outbox batch failed", exc_info=error)
        return Outcome(failure=error if isinstance(error, Exception) else RuntimeError(repr(error)))

    def _react(self, place: Place, flight: Flight, outcome: Outcome) -> None:
        """Decide what the outcome of a batch means for later ones."""
        if outcome.is_suspect:
            self._alone[place.topic] = monotonic() + ALONE
        error = outcome.failure
        if error is None:
            self.troubles.clear(place)
            self.troubles.clear(Place(place.topic))
            return
        # aiokafka has used up sequence numbers that brokers have not: replace the producer.
        self._sender.replace(flight.producer)
        if isinstance(error, TopicAuthorizationFailedError):
            self.troubles.note(Place(place.topic), reason_of(error, place.topic))
        elif not isinstance(error, (ProducerClosed, *REFUSALS)):
            self.troubles.note(place, reason_of(error, place.topic))

    async def _set_aside(self, connection: asyncpg.Connection, event_id: int, error: str) -> None:
        logger.error("event set aside", outbox_id=event_id, error=error)
        await connection.execute(REFUSED, event_id, error)

    def _is_late(self, flight: Flight) -> bool:
        return monotonic() - flight.started > PATIENCE

    def _report_late(self) -> None:
        """Report batches that brokers have not acknowledged for long."""
        patience = self._settings.kafka_request_timeout
        for place, flight in self._flights.items():
            if monotonic() - flight.started > patience:
                reason = (
                    f"no acknowledgment for {patience:g} s: too few in-sync replicas, or no leader"
                )
                self.troubles.note(place, reason)
