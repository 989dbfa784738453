"""Run a handler in isolation from its consumer."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

CANCELLATIONS = 2
GRACE = 2.5
"""Seconds that a handler has to finish after each cancellation."""

logger = structlog.get_logger(__name__)


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
