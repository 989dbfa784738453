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

WINDOW = 500
"""Rows that are looked at for one pass, besides those of partitions that are busy."""

WINDOW_BYTES = 8 * 1024 * 1024
"""Bytes that one pass reads into memory, unless one event is larger."""

VALID_TOPIC: Final = re.compile(r"(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}")
"""The names that brokers allow."""


class Place(NamedTuple):
    """A partition of a topic, or the whole topic."""

    topic: str
    partition: int | None = None

    def __str__(self) -> str:
        """Name it as Kafka's tools do."""
        return self.topic if self.partition is None else f"{self.topic}-{self.partition}"


class Window:
    """The next batch of each partition: the order of the rows, and nothing of a busy partition."""

    def __init__(self, busy: Collection[Place], alone: Collection[str]) -> None:
        self._busy = busy
        self._alone = alone
        self._full: set[Place] = set()
        self._sizes: dict[Place, int] = {}
        self._seen = 0
        self._size = 0
        self.batches: dict[Place, list[int]] = {}

    @property
    def is_full(self) -> bool:
        """Whether enough has been chosen for one pass."""
        return self._seen >= WINDOW or self._size >= WINDOW_BYTES

    def offer(self, row_id: int, size: int, place: Place) -> None:
        """Choose a row, unless rows of its partition before it have to be sent first."""
        if place in self._busy or self.is_full:
            return
        self._seen += 1
        if place in self._full:
            return
        batch = self.batches.setdefault(place, [])
        taken = self._sizes.get(place, 0)
        if batch and (taken + size > BATCH_SIZE or place.topic in self._alone):
            self._full.add(place)
            return
        batch.append(row_id)
        self._sizes[place] = taken + size
        self._size += size


@dataclass(frozen=True)
class Saved:
    """An event of the outbox."""

    id: int
    record: Record

    @classmethod
    def of(cls, row: Any) -> "Saved":  # noqa: ANN401 - a Record of asyncpg
        """Return what a row holds.

        Raises:
            ValueError: its headers are not an object whose values are strings.
        """
        headers = json.loads(row["headers"])
        if not isinstance(headers, dict) or not all(
            isinstance(one, str) for one in headers.values()
        ):
            raise ValueError("its headers are not an object whose values are strings")
        sent = [(name, value.encode()) for name, value in headers.items()]
        return cls(row["id"], Record(row["topic"], row["key"], row["value"], sent))


@dataclass
class Outcome:
    """What became of a batch."""

    sent: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    """Events that can never be sent, each with the reason."""

    is_suspect: bool = False
    """Brokers refused several events together: sent alone, they show which one it is."""

    failure: Exception | None = None
    """What kept the batch from being sent just now."""


async def send(
    producer: AIOKafkaProducer, partition: int, rows: Sequence[Any], max_size: int
) -> Outcome:
    """Send rows of one partition as one batch; return once every in-sync replica has it.

    There is no limit to the wait: aiokafka withdraws nothing, and repeats until brokers answer.
    """
    outcome = Outcome()
    builder = producer.create_batch()
    batch: list[int] = []
    topic = rows[0]["topic"]
    for event in _readable(rows, max_size, outcome):
        _, key, value, headers = event.record
        if not builder.append(timestamp=None, key=key, value=value, headers=headers):
            break  # it is full: the rest has the next batch
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


def _readable(rows: Sequence[Any], max_size: int, outcome: Outcome) -> Iterator[Saved]:
    """Give the events of rows; note those that are too large, or that are not events."""
    for row in rows:
        try:
            event = Saved.of(row)
        except ValueError as error:
            outcome.refused[row["id"]] = repr(error)
            continue
        if event.record.size > max_size:
            size = event.record.size
            outcome.refused[event.id] = f"it takes {size} bytes, over {max_size}"
        else:
            yield event
