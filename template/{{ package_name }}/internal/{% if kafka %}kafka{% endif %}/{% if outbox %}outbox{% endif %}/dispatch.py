"""Sends what was read from the outbox, each partition in order."""

import asyncio
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)
from aiokafka.partitioner import DefaultPartitioner

from ..cloud_events import Record
from ..errors import BrokersUnavailable
from ..sender import BATCH_SIZE

REFUSALS = (InvalidTopicError, MessageSizeTooLargeError, RecordListTooLargeError)
"""Errors that the same event will meet for ever."""

LOOK_UP_TIMEOUT = 0.5


@dataclass(frozen=True)
class Saved:
    """An event of the outbox."""

    id: int
    record: Record

    @classmethod
    def of(cls, row: Any) -> "Saved":  # noqa: ANN401 - a Record of asyncpg
        """Return what a row holds."""
        headers = json.loads(row["headers"]).items()
        sent = [(name, value.encode()) for name, value in headers]
        return cls(row["id"], Record(row["topic"], row["key"], row["value"], sent))


@dataclass
class Outcome:
    """What became of a number of events."""

    sent: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    suspects: set[int] = field(default_factory=set)
    """Events that were refused together: sent alone, they show which one it is."""

    known_topics: set[str] = field(default_factory=set)
    unknown_topics: set[str] = field(default_factory=set)
    failure: BaseException | None = None
    """What kept the rest from being sent just now."""


class Dispatch:
    """Sends a number of events on one producer.

    An event that brokers refuse is told apart from those it was sent with. After any other failure
    nothing more is sent to that partition, so that no event overtakes one before it.
    """

    def __init__(
        self, producer: AIOKafkaProducer, max_size: int, alone: Collection[int] = ()
    ) -> None:
        self._producer = producer
        self._max_size = max_size
        self._alone = alone
        self._partitioner = DefaultPartitioner()
        self.outcome = Outcome()

    async def send(self, events: Sequence[Saved]) -> Outcome:
        """Send events, those of different partitions side by side."""
        by_topic: dict[str, list[Saved]] = {}
        for event in events:
            by_topic.setdefault(event.record.topic, []).append(event)
        await asyncio.gather(*(self._send_topic(*item) for item in by_topic.items()))
        return self.outcome

    async def _send_topic(self, topic: str, events: Sequence[Saved]) -> None:
        try:
            async with asyncio.timeout(LOOK_UP_TIMEOUT):
                partitions = sorted(await self._producer.partitions_for(topic))
        except (TimeoutError, KafkaError):
            self.outcome.unknown_topics.add(topic)
            return
        self.outcome.known_topics.add(topic)
        by_partition: dict[int, list[Saved]] = {}
        for event in events:
            partition = self._partitioner(event.record.key, partitions, partitions)
            by_partition.setdefault(partition, []).append(event)
        lanes = (self._send_partition(topic, *item) for item in by_partition.items())
        await asyncio.gather(*lanes)

    async def _send_partition(self, topic: str, partition: int, events: list[Saved]) -> None:
        for batch in self._batches(events):
            error = await self._try(topic, partition, batch)
            if isinstance(error, REFUSALS):
                # aiokafka has counted what brokers have not: this producer can send no more here.
                self.outcome.failure = error
                if len(batch) == 1:
                    self.outcome.refused[batch[0].id] = repr(error)
                else:
                    self.outcome.suspects |= {event.id for event in batch}
                return
            if error:
                self.outcome.failure = error
                return
            self.outcome.sent += [event.id for event in batch]

    def _batches(self, events: list[Saved]) -> Iterator[list[Saved]]:
        """Give events in pieces that are sent as one; what is too large is set aside."""
        batch: list[Saved] = []
        room = 0
        for event in events:
            size = event.record.size
            if size > self._max_size:
                self.outcome.refused[event.id] = f"it takes {size} bytes, over {self._max_size}"
                continue
            if batch and (size > room or event.id in self._alone):
                yield batch
                batch = []
            if not batch:
                room = BATCH_SIZE
            batch.append(event)
            room = 0 if event.id in self._alone else room - size
        if batch:
            yield batch

    async def _try(self, topic: str, partition: int, events: list[Saved]) -> BaseException | None:
        builder = self._producer.create_batch()
        for event in events:
            _, key, value, headers = event.record
            if not builder.append(timestamp=None, key=key, value=value, headers=headers):
                raise RuntimeError("the batch is larger than was counted")
        builder.close()
        try:
            await (await self._producer.send_batch(builder, topic, partition=partition))
        except (KafkaError, BrokersUnavailable) as error:  # the latter when the sender closes
            failure: BaseException = error
            return failure
        return None
