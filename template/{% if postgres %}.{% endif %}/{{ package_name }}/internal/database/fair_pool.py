"""A pool that serves requests in the order in which they asked.

SQLAlchemy has no public way to replace the queue of a pool. Only this module uses its internals;
pyproject.toml limits SQLAlchemy to the minor version that it was tested with.
"""

import asyncio
from collections import deque

from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry
from sqlalchemy.util.concurrency import await_
from sqlalchemy.util.queue import AsyncAdaptedQueue, Empty


class FairQueue(AsyncAdaptedQueue[ConnectionPoolEntry]):
    """Hands a returned connection to the task that has waited longest.

    asyncio's queue only wakes that task up, and another task can take the connection before it
    runs: in a busy service some tasks would wait until their timeout.
    """

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:  # noqa: FBT001, FBT002 - SQLAlchemy's signature
        super().__init__(maxsize, use_lifo)
        self._waiters: deque[asyncio.Future[ConnectionPoolEntry]] = deque()

    def put_nowait(self, item: ConnectionPoolEntry) -> None:
        """Hand the connection to the first waiting task, or store it."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(item)
                return
        super().put_nowait(item)

    def get(self, block: bool = True, timeout: float | None = None) -> ConnectionPoolEntry:  # noqa: FBT001, FBT002 - SQLAlchemy's signature
        """Return a stored connection, or wait for one to be returned.

        Raises:
            Empty: there is none, or none was returned within `timeout` seconds.
        """
        if not block or not self.empty():
            return self.get_nowait()
        return await_(self._wait(timeout))

    async def _wait(self, seconds: float | None) -> ConnectionPoolEntry:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                return await self._received(waiter)
        except TimeoutError:
            raise Empty from None

    async def _received(self, waiter: asyncio.Future[ConnectionPoolEntry]) -> ConnectionPoolEntry:
        try:
            return await waiter
        except asyncio.CancelledError:
            # Cancelled after a connection was handed over: pass it on.
            if not waiter.cancelled():
                self.put_nowait(waiter.result())
            raise


class FairPool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool for asyncio, with a fair queue."""

    _queue_class = FairQueue
    # Log under SQLAlchemy's name, so that only its warnings are shown.
    _sqla_logger_namespace = "sqlalchemy.pool.FairPool"
