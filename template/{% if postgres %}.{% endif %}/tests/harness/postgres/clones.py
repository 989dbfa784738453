"""Clones of databases, created ahead and dropped in the background."""

import asyncio
import concurrent.futures
import contextlib
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Iterator
from itertools import count
from typing import Any, TypeVar

import asyncpg

from tests.harness.postgres import server
from tests.harness.postgres.failures import HarnessError

LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
"""Errors that mean the server has gone away. Its databases need no cleanup then."""

READY_AT_MOST = 4
"""Limit of unused clones of one database. Each takes about 8 MB."""

BACKLOG_AT_MOST = 24
"""Limit of databases that wait to be dropped. Beyond it, tests wait."""

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class Clones:
    """Creates and drops the databases of one process.

    It runs in one event loop. One connection creates clones (8 ms each) while another drops
    databases (4 ms each). The number of clones kept ready grows whenever a test had to wait.
    """

    def __init__(
        self,
        creator: asyncpg.Connection,
        dropper: asyncpg.Connection,
        key: str,
        options: str = "",
    ) -> None:
        self._creator = creator
        self._dropper = dropper
        self._options = options
        self._names: Iterator[str] = (f"{key}_{number}" for number in count(1))
        self._made: set[str] = set()
        self._ready: dict[str, deque[str]] = defaultdict(deque)
        self._waiting: dict[str, deque[asyncio.Future[str]]] = defaultdict(deque)
        self._wanted: dict[str, int] = defaultdict(lambda: 1)
        self._leaving: deque[str] = deque()
        self._news = asyncio.Event()
        self._left = asyncio.Event()
        self._gone = asyncio.Event()
        self._creating = asyncio.Lock()
        self._dropping = asyncio.Lock()
        self._tasks = [asyncio.create_task(self._make()), asyncio.create_task(self._clear())]

    async def take(self, source: str) -> str:
        """Return the name of a new clone of `source`, and keep clones ready from now on."""
        while len(self._leaving) > BACKLOG_AT_MOST:
            self._gone.clear()
            await self._gone.wait()
        if self._ready[source]:
            name = self._ready[source].popleft()
            self._news.set()
            return name
        if source in self._wanted:
            self._wanted[source] = min(self._wanted[source] + 1, READY_AT_MOST)
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[source].append(future)
        self._news.set()
        return await future

    async def copy(self, source: str) -> str:
        """Create a clone of `source` now and return its name."""
        async with self._creating:
            return await self._create(source)

    def give_back(self, name: str) -> None:
        """Drop a database in the background."""
        self._leaving.append(name)
        self._left.set()

    def forget(self, name: str) -> None:
        """Keep a database."""
        self._made.discard(name)

    async def keep(self, name: str, new_name: str) -> None:
        """Keep a database under another name."""
        self.forget(name)
        async with self._dropping:
            await server.rename(self._dropper, name, new_name)

    async def close(self) -> None:
        """Drop all databases except those to keep."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for name in sorted(self._made):
            with contextlib.suppress(*LOST):
                await server.drop(self._dropper, name)

    async def _create(self, source: str) -> str:
        name = next(self._names)
        self._made.add(name)
        await server.create(self._creator, name, f'TEMPLATE "{source}" {self._options}')
        return name

    async def _make(self) -> None:
        while True:
            source = self._next_source()
            if source is None:
                self._news.clear()
                await self._news.wait()
                continue
            try:
                async with self._creating:
                    name = await self._create(source)
            except Exception as error:  # noqa: BLE001 - waiting tests must receive any error
                self._refuse(source, HarnessError(f"{source} cannot be copied: {error}"))
            else:
                self._hand_over(source, name)

    def _next_source(self) -> str | None:
        """Return the next database to clone: first for waiting tests, then ahead of demand."""
        waited_for = (source for source, futures in self._waiting.items() if futures)
        wanted = (name for name, number in self._wanted.items() if len(self._ready[name]) < number)
        return next(waited_for, None) or next(wanted, None)

    def _hand_over(self, source: str, name: str) -> None:
        _ = self._wanted[source]  # from the first copy on, one is kept ready
        while self._waiting[source]:
            future = self._waiting[source].popleft()
            if not future.done():
                future.set_result(name)
                return
        self._ready[source].append(name)

    def _refuse(self, source: str, error: Exception) -> None:
        """Pass an error to waiting tests, and stop cloning ahead."""
        self._wanted[source] = 0
        while self._waiting[source]:
            future = self._waiting[source].popleft()
            if not future.done():
                future.set_exception(error)

    async def _clear(self) -> None:
        while True:
            if not self._leaving:
                self._left.clear()
                await self._left.wait()
            name = self._leaving.popleft()
            async with self._dropping:
                with contextlib.suppress(*LOST):
                    await server.drop(self._dropper, name)
                    self._made.discard(name)
            self._gone.set()


class Background:
    """Runs coroutines outside the event loops of tests, which exist for one test only."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        run = self._loop.run_forever
        self._thread = threading.Thread(target=run, name="databases", daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, Result]) -> concurrent.futures.Future[Result]:
        """Start the work and return its future."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine in the thread without blocking the caller's loop."""
        return await asyncio.wrap_future(self.submit(work))

    def call(self, function: Callable[[Argument], None], argument: Argument) -> None:
        """Schedule a function call in the thread."""
        self._loop.call_soon_threadsafe(function, argument)

    def close(self) -> None:
        """Cancel running coroutines and end the thread."""
        self.submit(_cancel_others()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
