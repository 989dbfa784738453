"""A loop in a thread of its own, for work that goes on while tests run."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class Background:
    """Runs coroutines beside the tests, whose own loops come and go with each test."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        run = self._loop.run_forever
        self._thread = threading.Thread(target=run, name="databases", daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, Result]) -> concurrent.futures.Future[Result]:
        """Start the work and return its future."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do the work there while the caller's loop goes on."""
        return await asyncio.wrap_future(self.submit(work))

    def call(self, function: Callable[[Argument], None], argument: Argument) -> None:
        """Call a function there, soon."""
        self._loop.call_soon_threadsafe(function, argument)

    def close(self) -> None:
        """End the thread; what is still running there is cancelled."""
        self.submit(_cancel_others()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
