"""An event loop in its own thread, for work that runs in parallel with tests."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Argument = TypeVar("Argument")
Result = TypeVar("Result")


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
