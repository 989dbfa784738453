"""Chooses the rows of the outbox that are sent next."""

import re
from collections.abc import Collection
from typing import Final, NamedTuple

from ..sender import BATCH_SIZE

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
