"""A pool that serves whoever has waited longest."""

import asyncio
from collections import deque

from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry
from sqlalchemy.util.concurrency import await_
from sqlalchemy.util.queue import AsyncAdaptedQueue, Empty


class FairQueue(AsyncAdaptedQueue[ConnectionPoolEntry]):
    """Hands a connection that comes back to the first who waits for one.

    asyncio's queue, which this replaces, only wakes that one up, and whoever asks in between
    overtakes: in a busy service some wait for seconds, and then in vain.
    """

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:  # noqa: FBT001, FBT002 - SQLAlchemy's call
        super().__init__(maxsize, use_lifo)
        self._waiters: deque[asyncio.Future[ConnectionPoolEntry]] = deque()

    def put_nowait(self, item: ConnectionPoolEntry) -> None:
        """Give the connection to the first who waits, or keep it."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(item)
                return
        super().put_nowait(item)

    def get(self, block: bool = True, timeout: float | None = None) -> ConnectionPoolEntry:  # noqa: FBT001, FBT002 - SQLAlchemy's call
        """Return a connection that is kept, or else the next one whose turn is ours.

        Raises:
            Empty: none is kept, or none came back within `timeout` seconds.
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
            # Given up in the very moment in which a connection came: it is the next one's.
            if not waiter.cancelled():
                self.put_nowait(waiter.result())
            raise


class FairPool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool for asyncio, with a fair queue."""

    _queue_class = FairQueue
    # Its records are SQLAlchemy's, which are kept from warnings on, and not this module's.
    _sqla_logger_namespace = "sqlalchemy.pool.FairPool"
