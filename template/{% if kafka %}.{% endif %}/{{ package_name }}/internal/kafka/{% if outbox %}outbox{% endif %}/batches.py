"""Chooses the rows of the outbox that are sent next, and sends those of a partition as a batch."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from ..cloud_events import Record
from ..sender import BATCH_SIZE, REFUSALS

MAX_ROWS = 500
"""Rows that one pass looks at, besides those of busy partitions."""

MAX_BYTES = 8 * 1024 * 1024
"""Bytes that one pass reads into memory, unless one event is larger."""

VALID_TOPIC: Final = re.compile(r"(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}")
"""The names that brokers allow."""


class Destination(NamedTuple):
    """A partition of a topic, or a whole topic."""

    topic: str
    partition: int | None = None

    def __str__(self) -> str:
        """Return the name that Kafka's tools use."""
        return self.topic if self.partition is None else f"{self.topic}-{self.partition}"


class BatchSelector:
    """Chooses the next batch of each partition that is not busy, in the order of the rows."""

    def __init__(self, busy: Collection[Destination], one_by_one: Collection[str]) -> None:
        self._busy = busy
        self._one_by_one = one_by_one
        self._full: set[Destination] = set()
        self._sizes: dict[Destination, int] = {}
        self._rows = 0
        self._size = 0
        self.batches: dict[Destination, list[int]] = {}

    @property
    def is_full(self) -> bool:
        """Whether enough rows are chosen for one pass."""
        return self._rows >= MAX_ROWS or self._size >= MAX_BYTES

    def offer(self, row_id: int, size: int, destination: Destination) -> None:
        """Choose a row, unless earlier rows of its partition must be sent first."""
        if destination in self._busy or self.is_full:
            return
        self._rows += 1
        if destination in self._full:
            return
        batch = self.batches.setdefault(destination, [])
        batch_size = self._sizes.get(destination, 0)
        if batch and (batch_size + size > BATCH_SIZE or destination.topic in self._one_by_one):
            self._full.add(destination)
            return
        batch.append(row_id)
        self._sizes[destination] = batch_size + size
        self._size += size


@dataclass(frozen=True)
class SavedEvent:
    """An event in the outbox."""

    id: int
    record: Record

    @classmethod
    def of(cls, row: Any) -> "SavedEvent":  # noqa: ANN401 - a Record of asyncpg
        """Return the event in a row.

        Raises:
            ValueError: its headers are not an object whose values are strings.
        """
        headers = json.loads(row["headers"])
        if not isinstance(headers, dict) or not all(
            isinstance(value, str) for value in headers.values()
        ):
            raise ValueError("its headers are not an object whose values are strings")
        sent = [(name, value.encode()) for name, value in headers.items()]
        return cls(row["id"], Record(row["topic"], row["key"], row["value"], sent))


@dataclass
class Outcome:
    """The outcome of sending a batch."""

    sent: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    """Ids of events that can never be sent, with the reason."""

    is_suspect: bool = False
    """Brokers refused a batch of several events: send them one by one to find the bad one."""

    failure: Exception | None = None
    """The error that kept the batch from being sent."""


async def send(
    producer: AIOKafkaProducer, partition: int, rows: Sequence[Any], max_size: int
) -> Outcome:
    """Send rows of one partition as one batch; return once every in-sync replica has it.

    The wait has no limit: aiokafka cannot withdraw a batch, and retries until brokers answer.
    """
    outcome = Outcome()
    builder = producer.create_batch()
    batch: list[int] = []
    topic = rows[0]["topic"]
    for event in _readable(rows, max_size, outcome):
        _, key, value, headers = event.record
        if not builder.append(timestamp=None, key=key, value=value, headers=headers):
            break  # it is full: the other events go into the next batch
        batch.append(event.id)
    builder.close()
    if not batch:
        return outcome
    try:
        await (await producer.send_batch(builder, topic, partition=partition))
    except KafkaError as error:
        outcome.failure = error
        if isinstance(error, REFUSALS):
            outcome.is_suspect = len(batch) > 1
            if not outcome.is_suspect:
                outcome.refused[batch[0]] = repr(error)
    else:
        outcome.sent = batch
    return outcome


def _readable(rows: Sequence[Any], max_size: int, outcome: Outcome) -> Iterator[SavedEvent]:
    """Yield the events in rows; refuse those that are too large or not valid."""
    for row in rows:
        try:
            event = SavedEvent.of(row)
        except ValueError as error:
            outcome.refused[row["id"]] = repr(error)
            continue
        if event.record.size > max_size:
            size = event.record.size
            outcome.refused[event.id] = f"it takes {size} bytes, over {max_size}"
        else:
            yield event
