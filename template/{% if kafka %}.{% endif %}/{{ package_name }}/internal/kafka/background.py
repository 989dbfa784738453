"""Helpers for background work: retries, cancellation, and handlers in isolation."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import structlog

STEP = 0.2
"""Seconds that each failure adds to the wait for the next attempt."""

STABLE = 60.0
"""Seconds that an attempt has to last for its failure to count as the first."""

CANCELLATIONS = 2
GRACE = 2.5
"""Seconds that a handler has to finish after each cancellation."""

logger = structlog.get_logger(__name__)


class Retries:
    """Repeats something that must not end. Waits after a failure, longer after each in a row.

    Args:
        event: the name of failures in the log.
        expected: failures of which only the first in a row is logged, without a traceback.
        limit: seconds that it waits at the most.
        on_failure: called with the reason before each wait.
        context: further fields of the log.
    """

    def __init__(
        self,
        event: str,
        expected: tuple[type[BaseException], ...],
        *,
        limit: float = 5,
        on_failure: Callable[[str], None] = lambda _: None,
        **context: object,
    ) -> None:
        self._event = event
        self._expected = expected
        self._limit = limit
        self._on_failure = on_failure
        self._context = context
        self._failures = 0

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[None]:
        """Run the block; when it fails, log it and wait instead of raising."""
        started = monotonic()
        try:
            yield
        except self._expected as error:
            reason = str(error) or repr(error)
            self._count_failure(started)
            if self._failures == 1:
                logger.warning(self._event, reason=reason, **self._context)
        except Exception:
            reason = "it failed, see the log"
            self._count_failure(started)
            logger.exception(self._event, **self._context)
        else:
            return
        self._on_failure(reason)
        await asyncio.sleep(backoff(min(STEP * self._failures, self._limit)))

    def _count_failure(self, started: float) -> None:
        self._failures = 1 if monotonic() - started > STABLE else self._failures + 1


def backoff(seconds: float) -> float:
    """Return a random part of a wait, at least half: replicas do not all come at once."""
    return seconds * random.uniform(0.5, 1)  # noqa: S311 - not a secret


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, and wait until they have ended, however they end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def uninterrupted(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end. A cancellation meanwhile is raised afterwards."""
    task = asyncio.create_task(coroutine)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


class HandlerTimeoutError(Exception):
    """One attempt took too long and was cancelled."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the attempt took over {seconds:g} s: make the handler faster, "
            "or raise KAFKA_CONSUMER_TIMEOUT"
        )


class HandlerStuckError(Exception):
    """A handler took too long and ignores its cancellation, so it may still be running."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the handler still runs {seconds:g} s after its cancellation")


async def run_isolated(handling: Coroutine[Any, Any, None], seconds: float) -> BaseException | None:
    """Run an attempt in its own task. Return its error, or None if it succeeded.

    If the attempt cancels itself, that is an error like any other. If this coroutine is
    cancelled, the attempt is cancelled first.
    """
    attempt = asyncio.create_task(_run_caught(handling))
    try:
        await asyncio.wait({attempt}, timeout=seconds)
    except asyncio.CancelledError:
        await _end(attempt)
        raise
    if attempt.done():
        return _error(attempt)
    if not await _end(attempt):
        return HandlerStuckError(CANCELLATIONS * GRACE)
    error = _error(attempt)  # None if it finished just in time
    return HandlerTimeoutError(seconds) if isinstance(error, asyncio.CancelledError) else error


async def _run_caught(handling: Coroutine[Any, Any, None]) -> BaseException | None:
    try:
        await handling
    except BaseException as error:  # noqa: BLE001 - an exit or a cancellation ends this attempt, not the service
        return error
    return None


async def _end(attempt: "asyncio.Task[BaseException | None]") -> bool:
    """Cancel an attempt; return whether it has ended."""
    for _ in range(CANCELLATIONS):
        attempt.cancel()
        await asyncio.wait({attempt}, timeout=GRACE)
        if attempt.done():
            return True
    logger.error("handler ignores its cancellation", seconds=CANCELLATIONS * GRACE)
    return False


def _error(attempt: "asyncio.Task[BaseException | None]") -> BaseException | None:
    return asyncio.CancelledError() if attempt.cancelled() else attempt.result()
