"""Background work goes on after failures and ends cleanly."""

import asyncio

import pytest
from structlog.testing import capture_logs

from orders.internal.kafka import background
from orders.internal.kafka.background import Retries, uninterrupted


async def test_a_failure_is_logged_once_and_the_wait_grows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the first expected failure in a row is logged. Unexpected ones are always logged."""
    delays: list[float] = []

    async def sleep(seconds: float) -> None:
        delays.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(background, "backoff", lambda seconds: seconds)
    reasons: list[str] = []
    retries = Retries("interrupted", (OSError,), limit=0.5, on_failure=reasons.append)
    with capture_logs() as logs:
        for error in (OSError("away"), OSError("away"), ValueError("surprise"), OSError("away")):
            async with retries.attempt():
                raise error
        async with retries.attempt():
            pass
    assert [entry["log_level"] for entry in logs] == ["warning", "error"]
    assert delays == pytest.approx([0.2, 0.4, 0.5, 0.5])
    assert reasons == ["away", "away", "it failed, see the log", "away"]


async def test_a_cancellation_waits_for_protected_work() -> None:
    """The work ends first. Then the cancellation is raised."""
    started, released, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        started.set()
        await released.wait()
        done.set()

    task = asyncio.create_task(uninterrupted(work()))
    await started.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    released.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()
