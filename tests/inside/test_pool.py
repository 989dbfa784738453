"""A full pool serves whoever has waited longest, and loses no connection on the way."""

import asyncio
import logging
from typing import Any

import pytest
from sqlalchemy.util.concurrency import greenlet_spawn
from sqlalchemy.util.queue import AsyncAdaptedQueue, Empty

from orders.internal.database import DatabaseSessionManager


@pytest.fixture(name="queue")
def _queue() -> AsyncAdaptedQueue[Any]:
    """The queue of connections that the service's pool really uses."""
    manager = DatabaseSessionManager()
    manager.init("postgresql://u:p@127.0.0.1:1/d", pool_size=1, max_overflow=0)
    pool: Any = manager._engine.pool  # type: ignore[union-attr]  # noqa: SLF001 - no public way
    return pool._pool  # type: ignore[no-any-return]  # noqa: SLF001 - no public way


async def wait_in(queue: AsyncAdaptedQueue[Any], seconds: float = 5) -> asyncio.Task[Any]:
    """Begin to wait for a connection."""
    task = asyncio.create_task(greenlet_spawn(queue.get, timeout=seconds))
    await asyncio.sleep(0.01)
    return task


async def test_nobody_overtakes_those_who_wait(queue: AsyncAdaptedQueue[Any]) -> None:
    """Whoever asks in the moment in which a connection comes back finds none."""
    first, second = await wait_in(queue), await wait_in(queue)
    queue.put_nowait("one")
    with pytest.raises(Empty):
        queue.get_nowait()
    queue.put_nowait("two")
    assert [await first, await second] == ["one", "two"]


async def test_a_connection_that_comes_too_late_is_the_next_ones(
    queue: AsyncAdaptedQueue[Any],
) -> None:
    """A request cancelled in the moment in which it is served takes no connection along."""
    given_up, patient = await wait_in(queue), await wait_in(queue)
    queue.put_nowait("one")
    given_up.cancel()
    assert await patient == "one"
    with pytest.raises(asyncio.CancelledError):
        await given_up


async def test_waiting_ends_with_its_time(queue: AsyncAdaptedQueue[Any]) -> None:
    """Whoever gave up is passed over, and the connection is there for the next."""
    with pytest.raises(Empty):
        await (await wait_in(queue, 0.05))
    queue.put_nowait("one")
    assert queue.get_nowait() == "one"


async def test_the_pool_says_nothing_of_its_daily_work(
    postgres: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Connections that come and go are no news in the service's log."""
    caplog.set_level(logging.INFO)
    manager = DatabaseSessionManager()
    manager.init(str(postgres))
    async with manager.connect():
        pass
    await manager.close()
    assert [record.getMessage() for record in caplog.records] == []
