"""Handle messages of different keys in parallel, and those of one key in order."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import structlog

from ..background import CANCELLATIONS, GRACE
from .progress import Progress

ROOM: Final = 16 * 1024 * 1024
"""Limit of messages in memory per consumer, in bytes. A single message may be larger."""

OVERHEAD: Final = 1000
"""Bytes to count for each message in addition to its key and value."""

PARKED: Final = 50_000
"""Limit of messages that a consumer leaves on the topic because their queues are long."""

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
class KeyQueue:
    """The messages of one key, in their order."""

    key: Hashable
    progress: Progress
    waiting: deque[Delivery] = field(default_factory=deque)
    """Fetched messages. The first one is being handled, or is next."""

    parked: deque[int] = field(default_factory=deque)
    """Offsets of later messages, which are read again when the queue reaches them."""

    task: asyncio.Task[float | None] | None = None
    is_given_up: bool = False


class KeyQueues:
    """A queue for each key. A limited number of them works in parallel."""

    def __init__(
        self, handle: Handle, concurrency: int, capacity: int, read_again: ReadAgain
    ) -> None:
        self._handle = handle
        self._concurrency = concurrency
        self._capacity = capacity
        self._read_again = read_again
        self._queues: dict[Hashable, KeyQueue] = {}
        self._ready: deque[KeyQueue] = deque()
        self._running: set[KeyQueue] = set()
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
        return self._is_full() or (self._parked >= PARKED and not self._has_drained_queue())

    @property
    def room(self) -> int:
        """The number of messages to fetch at once, if all are as large as the largest so far."""
        room = min(self._capacity - self._size, (ROOM - self._bytes) // self._largest)
        return max(1, min(room, READ_AT_ONCE))

    def add(self, delivery: Delivery) -> None:
        """Add a new message. A message without a key gets its own queue."""
        message = delivery.message
        queue = self._queues.get(_key(message))
        if queue is None:
            queue = self._queues[_key(message)] = KeyQueue(_key(message), delivery.progress)
        if queue.parked:
            queue.parked.append(message.offset)
            self._parked += 1
        else:
            self._append(queue, delivery)

    def add_again(self, delivery: Delivery) -> None:
        """Add a parked message that is read again, and ignore other messages."""
        offset = delivery.message.offset
        queue = self._queues.get(_key(delivery.message))
        if queue is None or queue.progress is not delivery.progress:
            return
        if queue.parked and queue.parked[0] == offset and not (queue.waiting and self._is_full()):
            self._unpark(queue)
            self._append(queue, delivery)

    def park(self) -> None:
        """Free memory: drop waiting messages of long queues, and read them again later."""
        waiting_limit = max(1, self._capacity // 10)
        for queue in sorted(self._queues.values(), key=lambda queue: -len(queue.waiting)):
            while (
                len(queue.waiting) > waiting_limit
                and self._parked < PARKED
                and not self._is_half_free()
            ):
                queue.parked.appendleft(self._pop(queue).message.offset)
                self._parked += 1

    def forget(self, progress: Progress, start: int, end: int) -> None:
        """Drop parked messages between two offsets that the topic no longer has."""
        for queue in [queue for queue in self._queues_of([progress]) if queue.parked]:
            while queue.parked and start <= queue.parked[0] < end:
                offset = self._unpark(queue)
                progress.end(offset)
                logger.error("message is gone from its topic", key=repr(queue.key), offset=offset)
            if not queue.waiting:
                self._advance(queue)

    async def wait_for_room(self, timeout: float) -> bool:  # noqa: ASYNC109 - its purpose
        """Wait until at least half of the memory is free, and return whether that was in time."""
        return await self._wait(self._is_half_free, timeout)

    async def hand_back(self, given_up: Collection[Progress], timeout: float) -> None:  # noqa: ASYNC109
        """Drop waiting messages of these partitions, and finish or cancel those being handled."""
        for queue in self._queues_of(given_up):
            self._drop(queue, 1 if queue.task else 0)
        if not await self._wait(lambda: not self._queues_of(given_up), timeout):
            await self._cancel(self._queues_of(given_up))

    async def close(self) -> None:
        """Drop all messages, and cancel those being handled."""
        for queue in list(self._queues.values()):
            self._drop(queue, 1 if queue.task else 0)
        await self._cancel(list(self._queues.values()))

    def _queues_of(self, progresses: Collection[Progress]) -> list[KeyQueue]:
        return [queue for queue in self._queues.values() if queue.progress in progresses]

    def _is_full(self) -> bool:
        return self._size >= self._capacity or self._bytes >= ROOM

    def _is_half_free(self) -> bool:
        return self._size <= self._capacity // 2 and self._bytes <= ROOM // 2

    def _has_drained_queue(self) -> bool:
        """Return whether a queue has only parked messages, which must be read again."""
        return any(queue.parked and not queue.waiting for queue in self._queues.values())

    def _append(self, queue: KeyQueue, delivery: Delivery) -> None:
        queue.waiting.append(delivery)
        self._size += 1
        self._bytes += delivery.size
        self._largest = max(self._largest, delivery.size)
        if len(queue.waiting) == 1:
            self._advance(queue)

    def _pop(self, queue: KeyQueue, *, first: bool = False) -> Delivery:
        delivery = queue.waiting.popleft() if first else queue.waiting.pop()
        self._size -= 1
        self._bytes -= delivery.size
        return delivery

    def _unpark(self, queue: KeyQueue) -> int:
        self._parked -= 1
        return queue.parked.popleft()

    def _drop(self, queue: KeyQueue, keep: int) -> None:
        while queue.parked:
            self._unpark(queue)
        while len(queue.waiting) > keep:
            self._pop(queue)
        if not queue.waiting:
            self._queues.pop(queue.key, None)
        self._changed.set()

    async def _cancel(self, queues: Collection[KeyQueue]) -> None:
        tasks = {queue.task for queue in queues if queue.task}
        for queue in queues:
            queue.is_given_up = True
            if queue.task:
                queue.task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CANCELLATIONS * GRACE + 1)
        for queue in queues:
            self._drop(queue, 0)

    async def _wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _advance(self, queue: KeyQueue) -> None:
        """Handle a queue's next message, request it if it is parked, or remove an empty queue."""
        # After a rebalance, the key may have a new queue, which this one must not affect.
        if self._queues.get(queue.key) is not queue or queue.task:
            return
        if queue.waiting:
            self._ready.append(queue)
            self._start()
        elif queue.parked:
            parked = [
                other.parked[0]
                for other in self._queues_of([queue.progress])
                if other.parked and not other.waiting
            ]
            self._read_again(queue.progress, min(parked))
        else:
            del self._queues[queue.key]

    def _start(self) -> None:
        while self._ready and len(self._running) < self._concurrency:
            queue = self._ready.popleft()
            if self._queues.get(queue.key) is queue and queue.waiting and not queue.task:
                delivery = queue.waiting[0]
                queue.task = asyncio.create_task(self._attempt(delivery))
                self._running.add(queue)
                queue.task.add_done_callback(partial(self._settle, queue, delivery))

    async def _attempt(self, delivery: Delivery) -> float | None:
        return await self._handle(delivery)

    def _settle(
        self, queue: KeyQueue, delivery: Delivery, task: "asyncio.Task[float | None]"
    ) -> None:
        queue.task = None
        self._running.discard(queue)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        delay = ESCAPED_DELAY if error else task.result()
        if delay is None:
            delivery.progress.end(delivery.message.offset)
        if queue.waiting and (delay is None or delivery.progress.is_revoked or queue.is_given_up):
            self._pop(queue, first=True)
        if delay is None or not queue.waiting:
            self._advance(queue)
        else:
            # Other queues continue meanwhile. A queue that was removed meanwhile is skipped.
            asyncio.get_running_loop().call_later(delay, self._advance, queue)
        self._changed.set()
        self._start()
        if error and not queue.is_given_up:
            logger.error("attempt failed by itself, will be repeated", exc_info=error)


def _key(message: Any) -> Hashable:  # noqa: ANN401 - a ConsumerRecord
    return (message.partition, message.offset if message.key is None else message.key)
