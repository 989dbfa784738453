"""Handle messages of different keys in parallel, and those of one key in order."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import structlog

from .isolation import CANCELLATIONS, GRACE
from .progress import Progress

ROOM: Final = 16 * 1024 * 1024
"""Limit of messages in memory per consumer, in bytes. A single message may be larger."""

OVERHEAD: Final = 1000
"""Bytes to count for each message in addition to its key and value."""

PARKED: Final = 50_000
"""Limit of messages of long lanes that a consumer leaves on the topic."""

READ_AT_ONCE: Final = 500
ESCAPED_DELAY: Final = 5.0
"""Seconds until the next attempt after an unexpected error of an attempt itself."""

logger = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Delivery:
    """A message that the consumer has fetched, and the state of its handling."""

    message: Any
    progress: Progress
    attempts: int = 0
    """Number of attempts, without those that failed because of an outage."""

    retries: int = 0
    outages: int = 0
    """Number of failures because of an outage, while other messages were handled."""

    handled_before: int = 0
    """Number of messages that the consumer had handled at this message's last failure."""

    headers: dict[str, str] = field(default_factory=dict)
    dead: BaseException | None = None
    """The error that makes it a dead letter, after the last attempt."""

    @property
    def size(self) -> int:
        """Its approximate size in bytes."""
        return len(self.message.value or b"") + len(self.message.key or b"") + OVERHEAD


Handle = Callable[[Delivery], Awaitable[float | None]]
"""Handles a message. Returns None if it is done, or the seconds until the next attempt."""

ReadAgain = Callable[[Progress, int], None]
"""Requests the messages of a partition from an offset."""


@dataclass(slots=True, eq=False)
class Lane:
    """The messages of one key, in their order."""

    key: Hashable
    progress: Progress
    waiting: deque[Delivery] = field(default_factory=deque)
    """Fetched messages. The first one is being handled, or is next."""

    parked: deque[int] = field(default_factory=deque)
    """Offsets of later messages, which are read again when the lane reaches them."""

    task: asyncio.Task[float | None] | None = None
    is_given_up: bool = False


class Lanes:
    """One lane for each key. A limited number of lanes works in parallel."""

    def __init__(
        self, handle: Handle, concurrency: int, capacity: int, read_again: ReadAgain
    ) -> None:
        self._handle = handle
        self._concurrency = concurrency
        self._capacity = capacity
        self._read_again = read_again
        self._lanes: dict[Hashable, Lane] = {}
        self._ready: deque[Lane] = deque()
        self._running: set[Lane] = set()
        self._changed = asyncio.Event()
        self._size = self._bytes = self._parked = 0
        self._largest = ROOM // READ_AT_ONCE

    @property
    def size(self) -> int:
        """The number of messages that wait or are being handled."""
        return self._size + self._parked

    @property
    def in_flight(self) -> int:
        """The number of messages that are being handled."""
        return len(self._running)

    @property
    def full(self) -> bool:
        """Whether no more messages should be fetched."""
        return self._is_full() or (self._parked >= PARKED and not self._are_any_hungry())

    @property
    def room(self) -> int:
        """The number of messages to fetch at once, if all are as large as the largest so far."""
        room = min(self._capacity - self._size, (ROOM - self._bytes) // self._largest)
        return max(1, min(room, READ_AT_ONCE))

    def add(self, delivery: Delivery) -> None:
        """Add a new message. A message without a key gets its own lane."""
        message = delivery.message
        lane = self._lanes.get(_key(message))
        if lane is None:
            lane = self._lanes[_key(message)] = Lane(_key(message), delivery.progress)
        if lane.parked:
            lane.parked.append(message.offset)
            self._parked += 1
        else:
            self._append(lane, delivery)

    def add_again(self, delivery: Delivery) -> None:
        """Add a parked message that is read again, and ignore other messages."""
        offset = delivery.message.offset
        lane = self._lanes.get(_key(delivery.message))
        if lane is None or lane.progress is not delivery.progress:
            return
        if lane.parked and lane.parked[0] == offset and not (lane.waiting and self._is_full()):
            self._unpark(lane)
            self._append(lane, delivery)

    def park(self) -> None:
        """Free memory: drop waiting messages of long lanes, and read them again later."""
        kept = max(1, self._capacity // 10)
        for lane in sorted(self._lanes.values(), key=lambda lane: -len(lane.waiting)):
            while len(lane.waiting) > kept and self._parked < PARKED and not self._is_half_free():
                lane.parked.appendleft(self._pop(lane).message.offset)
                self._parked += 1

    def forget(self, progress: Progress, start: int, end: int) -> None:
        """Drop parked messages between two offsets that the topic no longer has."""
        for lane in [lane for lane in self._of([progress]) if lane.parked]:
            while lane.parked and start <= lane.parked[0] < end:
                offset = self._unpark(lane)
                progress.end(offset)
                logger.error("message is gone from its topic", key=repr(lane.key), offset=offset)
            if not lane.waiting:
                self._go_on(lane)

    async def wait_for_room(self, timeout: float) -> bool:  # noqa: ASYNC109 - its purpose
        """Wait until at least half of the memory is free, and return whether that was in time."""
        return await self._wait(self._is_half_free, timeout)

    async def hand_back(self, given_up: Collection[Progress], timeout: float) -> None:  # noqa: ASYNC109
        """Drop waiting messages of these partitions, and finish or cancel those being handled."""
        for lane in self._of(given_up):
            self._drop(lane, 1 if lane.task else 0)
        if not await self._wait(lambda: not self._of(given_up), timeout):
            await self._cut(self._of(given_up))

    async def close(self) -> None:
        """Drop all messages, and cancel those being handled."""
        for lane in list(self._lanes.values()):
            self._drop(lane, 1 if lane.task else 0)
        await self._cut(list(self._lanes.values()))

    def _of(self, progresses: Collection[Progress]) -> list[Lane]:
        return [lane for lane in self._lanes.values() if lane.progress in progresses]

    def _is_full(self) -> bool:
        return self._size >= self._capacity or self._bytes >= ROOM

    def _is_half_free(self) -> bool:
        return self._size <= self._capacity // 2 and self._bytes <= ROOM // 2

    def _are_any_hungry(self) -> bool:
        return any(lane.parked and not lane.waiting for lane in self._lanes.values())

    def _append(self, lane: Lane, delivery: Delivery) -> None:
        lane.waiting.append(delivery)
        self._size += 1
        self._bytes += delivery.size
        self._largest = max(self._largest, delivery.size)
        if len(lane.waiting) == 1:
            self._go_on(lane)

    def _pop(self, lane: Lane, *, first: bool = False) -> Delivery:
        delivery = lane.waiting.popleft() if first else lane.waiting.pop()
        self._size -= 1
        self._bytes -= delivery.size
        return delivery

    def _unpark(self, lane: Lane) -> int:
        self._parked -= 1
        return lane.parked.popleft()

    def _drop(self, lane: Lane, keep: int) -> None:
        while lane.parked:
            self._unpark(lane)
        while len(lane.waiting) > keep:
            self._pop(lane)
        if not lane.waiting:
            self._lanes.pop(lane.key, None)
        self._changed.set()

    async def _cut(self, lanes: Collection[Lane]) -> None:
        tasks = {lane.task for lane in lanes if lane.task}
        for lane in lanes:
            lane.is_given_up = True
            if lane.task:
                lane.task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CANCELLATIONS * GRACE + 1)
        for lane in lanes:
            self._drop(lane, 0)

    async def _wait(self, reached: Callable[[], bool], seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while not reached():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _go_on(self, lane: Lane) -> None:
        """Handle a lane's next message, request it if it is parked, or remove an empty lane."""
        # After a rebalance, the key may have a new lane, which this one must not affect.
        if self._lanes.get(lane.key) is not lane or lane.task:
            return
        if lane.waiting:
            self._ready.append(lane)
            self._start()
        elif lane.parked:
            hungry = [one for one in self._of([lane.progress]) if one.parked and not one.waiting]
            self._read_again(lane.progress, min(one.parked[0] for one in hungry))
        else:
            del self._lanes[lane.key]

    def _start(self) -> None:
        while self._ready and len(self._running) < self._concurrency:
            lane = self._ready.popleft()
            if self._lanes.get(lane.key) is lane and lane.waiting and not lane.task:
                delivery = lane.waiting[0]
                lane.task = asyncio.create_task(self._attempt(delivery))
                self._running.add(lane)
                lane.task.add_done_callback(partial(self._settle, lane, delivery))

    async def _attempt(self, delivery: Delivery) -> float | None:
        return await self._handle(delivery)

    def _settle(self, lane: Lane, delivery: Delivery, task: "asyncio.Task[float | None]") -> None:
        lane.task = None
        self._running.discard(lane)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        delay = ESCAPED_DELAY if error else task.result()
        if delay is None:
            delivery.progress.end(delivery.message.offset)
        if lane.waiting and (delay is None or delivery.progress.is_revoked or lane.is_given_up):
            self._pop(lane, first=True)
        if delay is None or not lane.waiting:
            self._go_on(lane)
        else:
            # Other lanes continue meanwhile. A lane that was removed meanwhile is skipped.
            asyncio.get_running_loop().call_later(delay, self._go_on, lane)
        self._changed.set()
        self._start()
        if error and not lane.is_given_up:
            logger.error("attempt failed by itself, will be repeated", exc_info=error)


def _key(message: Any) -> Hashable:  # noqa: ANN401 - a ConsumerRecord
    return (message.partition, message.offset if message.key is None else message.key)
