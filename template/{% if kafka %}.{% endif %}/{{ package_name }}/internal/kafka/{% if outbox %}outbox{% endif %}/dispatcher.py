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
from .batches import VALID_TOPIC, BatchSelector, Destination, Outcome, send
from .failures import Failures, reason_of

BATCH_TIMEOUT = 0.5
"""Seconds that other partitions wait for a slow one before they go on without it."""

ONE_BY_ONE = 60.0
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
class SentBatch:
    """A batch that is being sent."""

    producer: AIOKafkaProducer
    task: asyncio.Task[Outcome]
    started: float


class Dispatcher:
    """Sends events to partitions: at most one batch of each at a time."""

    def __init__(self, settings: Any, sender: Sender, wake: Callable[[], None]) -> None:  # noqa: ANN401
        self._settings = settings
        self._sender = sender
        self._wake = wake
        self._batches: dict[Destination, SentBatch] = {}
        self._lookups: dict[str, asyncio.Task[list[int]]] = {}
        self._partitions: dict[str, list[int]] = {}
        self._one_by_one: dict[str, float] = {}
        self.failures = Failures()
        self.search_seconds = 0.0
        """Seconds that the last search took, if it had to pass many events that are held up."""

    async def send(self, connection: asyncpg.Connection, producer: AIOKafkaProducer) -> bool:
        """Send the next batch of every free partition. Return whether there was one.

        If an acknowledgment takes long, this returns before it: call `settle` later.
        """
        selector = await self._choose_batches(connection, producer)
        ids = [row_id for batch in selector.batches.values() for row_id in batch]
        if not ids:
            return False
        destinations = {
            row_id: destination
            for destination, batch in selector.batches.items()
            for row_id in batch
        }
        rows: dict[Destination, list[Any]] = {}
        for row in await connection.fetch(LOAD, ids):
            rows.setdefault(destinations[row["id"]], []).append(row)
        for destination, batch in rows.items():
            max_size = self._settings.kafka_max_event_size
            sending = send(producer, destination.partition or 0, batch, max_size)
            task = asyncio.create_task(sending, name=f"outbox-{destination}")
            self._batches[destination] = SentBatch(producer, task, monotonic())
        await self.wait(BATCH_TIMEOUT)
        self._wake_after(self._batches[destination].task for destination in rows)
        return True

    async def wait(self, timeout: float) -> None:  # noqa: ASYNC109 - its purpose
        """Wait until all batches are settled, for a limited time."""
        if tasks := [sent.task for sent in self._batches.values() if not self._is_late(sent)]:
            await asyncio.wait(tasks, timeout=timeout)

    async def settle(self, connection: asyncpg.Connection) -> bool:
        """Save the outcomes of finished batches. Return whether there were any."""
        done = {
            destination: sent_batch
            for destination, sent_batch in self._batches.items()
            if sent_batch.task.done()
        }
        sent: list[int] = []
        for destination, sent_batch in done.items():
            outcome = self._outcome(sent_batch)
            sent += outcome.sent
            for event_id, error in outcome.refused.items():
                await self._set_aside(connection, event_id, error)
            self._handle_outcome(destination, sent_batch, outcome)
        if sent:
            await connection.execute(SENT, sent)
        for destination in done:
            del self._batches[destination]
        self._report_late()
        self._collect_lookups()
        return bool(done)

    async def close(self) -> None:
        """Cancel all tasks. Batches that are being sent may still arrive."""
        tasks: list[asyncio.Task[Any]] = [sent.task for sent in self._batches.values()]
        tasks += self._lookups.values()
        await cancel(*tasks)

    async def _choose_batches(
        self, connection: asyncpg.Connection, producer: AIOKafkaProducer
    ) -> BatchSelector:
        """Choose rows in one snapshot: it never shows an event before an older one of its key."""
        started = monotonic()
        self._one_by_one = {
            topic: until for topic, until in self._one_by_one.items() if until > started
        }
        self._partitions.clear()
        busy = {*self._batches, *self.failures.paused()}
        selector = BatchSelector(busy, self._one_by_one)
        invalid: list[int] = []
        after, page = 0, PAGE
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            while not selector.is_full:
                blocked = self._blocked_topics(busy)
                rows = await connection.fetch(SCAN, after, blocked, page)
                topics = {row["topic"] for row in rows}
                await self._look_up(producer, topics)
                # A topic that was skipped once is skipped to the end, to keep its order.
                busy |= {Destination(topic) for topic in topics if topic not in self._partitions}
                for row in rows:
                    if Destination(row["topic"]) not in busy:
                        selector.offer(
                            row["id"], row["size"], self._destination(row["topic"], row["key"])
                        )
                    elif not VALID_TOPIC.fullmatch(row["topic"]):
                        invalid.append(row["id"])
                if len(rows) < page:
                    break
                after, page = rows[-1]["id"], PAGE * 10
        self.search_seconds = monotonic() - started if page > PAGE else 0.0
        for event_id in invalid:
            await self._set_aside(connection, event_id, "its topic's name is not valid")
        return selector

    def _blocked_topics(self, busy: set[Destination]) -> list[str]:
        """Return the topics that cannot receive any event at the moment."""
        blocked = {destination.topic for destination in busy if destination.partition is None}
        blocked |= self._lookups.keys()
        blocked |= {
            topic
            for topic, numbers in self._partitions.items()
            if all(Destination(topic, number) in busy for number in numbers)
        }
        return list(blocked)

    def _destination(self, topic: str, key: bytes) -> Destination:
        """Return the partition of a key, as the default partitioner of every producer does."""
        numbers = self._partitions[topic]
        return Destination(topic, partition_of(key, numbers, numbers))

    async def _look_up(self, producer: AIOKafkaProducer, topics: set[str]) -> None:
        """Find the partitions of topics. Topics that take long are skipped until then."""
        for topic in topics - self._partitions.keys() - self._lookups.keys():
            if VALID_TOPIC.fullmatch(topic):
                task = asyncio.create_task(
                    self._find_partitions(producer, topic), name=f"outbox-{topic}"
                )
                self._lookups[topic] = task
        if lookups := [self._lookups[topic] for topic in topics & self._lookups.keys()]:
            await asyncio.wait(lookups, timeout=BATCH_TIMEOUT)
            self._wake_after(lookups)
        self._collect_lookups()

    async def _find_partitions(self, producer: AIOKafkaProducer, topic: str) -> list[int]:
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
                self.failures.record(Destination(topic), reason_of(error, topic))
            else:
                self._partitions[topic] = task.result()

    def _outcome(self, sent_batch: SentBatch) -> Outcome:
        """Return the outcome of a batch, however its task ended."""
        if sent_batch.task.cancelled():
            return Outcome(failure=BrokersUnavailable("cut short"))
        error = sent_batch.task.exception()
        if error is None:
            return sent_batch.task.result()
        logger.error("outbox batch failed", exc_info=error)
        return Outcome(failure=error if isinstance(error, Exception) else RuntimeError(repr(error)))

    def _handle_outcome(
        self, destination: Destination, sent_batch: SentBatch, outcome: Outcome
    ) -> None:
        """Decide what the outcome of a batch means for later ones."""
        if outcome.is_suspect:
            self._one_by_one[destination.topic] = monotonic() + ONE_BY_ONE
        error = outcome.failure
        if error is None:
            self.failures.clear(destination)
            self.failures.clear(Destination(destination.topic))
            return
        # aiokafka has used up sequence numbers that brokers have not: replace the producer.
        self._sender.replace(sent_batch.producer)
        if isinstance(error, TopicAuthorizationFailedError):
            self.failures.record(
                Destination(destination.topic), reason_of(error, destination.topic)
            )
        elif not isinstance(error, (ProducerClosed, *REFUSALS)):
            self.failures.record(destination, reason_of(error, destination.topic))

    async def _set_aside(self, connection: asyncpg.Connection, event_id: int, error: str) -> None:
        logger.error("event set aside", outbox_id=event_id, error=error)
        await connection.execute(REFUSED, event_id, error)

    def _is_late(self, sent_batch: SentBatch) -> bool:
        return monotonic() - sent_batch.started > BATCH_TIMEOUT

    def _report_late(self) -> None:
        """Report batches that brokers have not acknowledged for long."""
        timeout = self._settings.kafka_request_timeout
        for destination, sent_batch in self._batches.items():
            if monotonic() - sent_batch.started > timeout:
                reason = (
                    f"no acknowledgment for {timeout:g} s: too few in-sync replicas, or no leader"
                )
                self.failures.record(destination, reason)
