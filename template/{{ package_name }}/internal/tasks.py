"""Background tasks of features: none of them ends unnoticed."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog

from .feature import NotReadyError
from .resources import Resources

logger = structlog.get_logger(__name__)


class TaskEndedError(NotReadyError):
    """A background task ended while the service runs."""


class EndedTasks(list[str]):
    """Names of the background tasks that ended while the service runs."""


@asynccontextmanager
async def running(
    resources: Resources, name: str, coroutine: Coroutine[Any, Any, None]
) -> AsyncIterator[asyncio.Task[None]]:
    """Run a coroutine in a task for as long as the block runs, and cancel it at the end.

    A task that ends before is logged as an error, and the probe `tasks` names it.
    """
    ended_tasks = resources.get(EndedTasks)
    task = asyncio.create_task(coroutine, name=name)
    is_stopping = False

    def report(task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None or not is_stopping:
            logger.error("task ended", task=name, exc_info=error)
            ended_tasks.append(name)

    task.add_done_callback(report)
    try:
        yield task
    finally:
        is_stopping = True
        task.cancel()
        await asyncio.wait([task])


async def tasks_run(resources: Resources) -> str:
    """Say whether every background task of the service still runs.

    Raises:
        TaskEndedError: one of them ended; the log says why.
    """
    if names := resources.get(EndedTasks):
        raise TaskEndedError(f"ended, see the log: {', '.join(sorted(set(names)))}")
    return "all run"
