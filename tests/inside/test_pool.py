"""A full pool serves requests in the order of their arrival, and loses no connection."""

import asyncio
import logging
from typing import Any

import pytest
from sqlalchemy.util.concurrency import greenlet_spawn
from sqlalchemy.util.queue import AsyncAdaptedQueue, Empty

from orders.internal.database import DatabaseSessionManager


@pytest.fixture(name="queue")
def _queue() -> AsyncAdaptedQueue[Any]:
    """The queue of connections that the service's pool uses."""
    manager = DatabaseSessionManager()
    manager.init("postgresql://u:p@127.0.0.1:1/d", pool_size=1, max_overflow=0)
    pool: Any = manager._engine.pool  # type: ignore[union-attr]  # noqa: SLF001 - no public way
    return pool._pool  # type: ignore[no-any-return]  # noqa: SLF001 - no public way


async def wait_in(queue: AsyncAdaptedQueue[Any], seconds: float = 5) -> asyncio.Task[Any]:
    """Start to wait for a connection."""
    task = asyncio.create_task(greenlet_spawn(queue.get, timeout=seconds))
    await asyncio.sleep(0.01)
    return task


async def test_requests_are_served_in_their_order(queue: AsyncAdaptedQueue[Any]) -> None:
    """A request that arrives while a connection is returned does not overtake the waiting ones."""
    first, second = await wait_in(queue), await wait_in(queue)
    queue.put_nowait("one")
    with pytest.raises(Empty):
        queue.get_nowait()
    queue.put_nowait("two")
    assert [await first, await second] == ["one", "two"]


async def test_a_connection_for_a_cancelled_request_goes_to_the_next(
    queue: AsyncAdaptedQueue[Any],
) -> None:
    """A request cancelled while it gets a connection does not keep it."""
    given_up, patient = await wait_in(queue), await wait_in(queue)
    queue.put_nowait("one")
    given_up.cancel()
    assert await patient == "one"
    with pytest.raises(asyncio.CancelledError):
        await given_up


async def test_waiting_for_a_connection_times_out(queue: AsyncAdaptedQueue[Any]) -> None:
    """A request that timed out is skipped, and the next one gets the connection."""
    with pytest.raises(Empty):
        await (await wait_in(queue, 0.05))
    queue.put_nowait("one")
    assert queue.get_nowait() == "one"


async def test_the_pool_does_not_log_routine_work(
    postgres: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Opening and closing connections is not logged."""
    caplog.set_level(logging.INFO)
    manager = DatabaseSessionManager()
    manager.init(str(postgres))
    async with manager.connect():
        pass
    await manager.close()
    assert [record.getMessage() for record in caplog.records] == []
