"""Handles messages side by side, and those of one key one after another."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Hashable
from dataclasses import dataclass, field
from typing import Any

from .progress import Progress


@dataclass(slots=True, eq=False)
class Delivery:
    """A message on its way through the service."""

    message: Any
    progress: Progress
    attempts: int = 0
    """Tries that count: those that failed for want of something else do not."""

    retries: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    dead: Exception | None = None
    """What makes it a dead letter, once that is certain."""


Handle = Callable[[Delivery], Awaitable[float | None]]
"""Handles a message: returns None when that is settled, or the seconds until the next attempt."""


class Lanes:
    """A queue for each key, emptied by a fixed number of tasks."""

    def __init__(self, handle: Handle, concurrency: int, capacity: int) -> None:
        self._handle = handle
        self._capacity = capacity
        self._lanes: dict[Hashable, deque[Delivery]] = {}
        self._ready: asyncio.Queue[tuple[Hashable, deque[Delivery]]] = asyncio.Queue()
        self._running: dict[Hashable, tuple[Delivery, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()
        self._size = 0
        self._tasks: set[asyncio.Task[None]] = set()
        for _ in range(concurrency):
            self._hire()

    @property
    def size(self) -> int:
        """How many messages are waiting or being handled."""
        return self._size

    @property
    def in_flight(self) -> int:
        """How many messages are being handled."""
        return len(self._running)

    @property
    def full(self) -> bool:
        """Whether no more messages should be fetched."""
        return self._size >= self._capacity

    def add(self, delivery: Delivery) -> None:
        """Take a message; without a key it has a lane to itself."""
        message = delivery.message
        key = (message.partition, message.offset if message.key is None else message.key)
        self._size += 1
        if lane := self._lanes.get(key):
            lane.append(delivery)
        else:
            lane = self._lanes[key] = deque((delivery,))
            self._ready.put_nowait((key, lane))

    async def wait_for_room(self, timeout: float) -> bool:  # noqa: ASYNC109 - its purpose
        """Return whether at least half of the room is free before time is up."""
        return await self._wait(lambda: self._size <= self._capacity // 2, timeout)

    async def hand_back(self, given_up: Collection[Progress], timeout: float) -> None:  # noqa: ASYNC109
        """Forget what of these has not been begun; finish the rest, or cut it short in time."""
        for key, lane in list(self._lanes.items()):
            keep = 1 if key in self._running else 0
            if lane[0].progress in given_up:
                self._drop(key, lane, keep)
        if not await self._wait(lambda: not self._handled(given_up), timeout):
            cut = self._handled(given_up)
            for task in cut:
                task.cancel()
            await asyncio.gather(*cut, return_exceptions=True)

    async def close(self) -> None:
        """End the tasks."""
        tasks = list(self._tasks)
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _handled(self, given_up: Collection[Progress]) -> list[asyncio.Task[None]]:
        return [task for one, task in self._running.values() if one.progress in given_up]

    def _drop(self, key: Hashable, lane: deque[Delivery], keep: int) -> None:
        while len(lane) > keep:
            lane.pop()
            self._size -= 1
        if not lane:
            del self._lanes[key]

    async def _wait(self, reached: Callable[[], bool], seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while not reached():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _hire(self) -> None:
        task = asyncio.create_task(self._work())
        self._tasks.add(task)
        task.add_done_callback(self._replace)

    def _replace(self, task: asyncio.Task[None]) -> None:
        if task in self._tasks:  # it was cut short, not closed
            self._tasks.remove(task)
            self._hire()

    async def _work(self) -> None:
        me = asyncio.current_task()
        if me is None:
            raise RuntimeError("lanes are worked on by tasks")
        while True:
            key, lane = await self._ready.get()
            # After a rebalance the key may have another lane, which nothing of this one may touch.
            if lane is self._lanes.get(key) and key not in self._running:
                self._running[key] = (lane[0], me)
                try:
                    delay = await self._handle(lane[0])
                except BaseException:
                    self._running.pop(key)
                    self._drop(key, lane, 0)
                    self._changed.set()
                    raise
                self._go_on(key, lane, delay)

    def _go_on(self, key: Hashable, lane: deque[Delivery], delay: float | None) -> None:
        delivery, _ = self._running.pop(key)
        if delay is None:
            delivery.progress.end(delivery.message.offset)
        if delay is None or delivery.progress.is_revoked:
            lane.popleft()
            self._size -= 1
        self._changed.set()
        if not lane:
            del self._lanes[key]
        elif delay is None:
            self._ready.put_nowait((key, lane))
        else:
            # Others are handled meanwhile. A lane that is gone by then is passed over.
            asyncio.get_running_loop().call_later(delay, self._ready.put_nowait, (key, lane))
