"""The service process stops, is killed, or sees the clock change."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.faults.figures import BROKEN, REFUSED
from tests.faults.load import PRODUCTS, Load
from tests.faults.replica import Replica

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

    from tests.faults.conftest import Report
    from tests.faults.surroundings import Postgres

PATIENT = {
    "ORDERS_SHUTDOWN_DELAY": "4",
    "ORDERS_DATABASE_POOL_SIZE": "20",
    "ORDERS_DATABASE_LOCK_TIMEOUT": "30",
    "ORDERS_DATABASE_STATEMENT_TIMEOUT": "30",
}
"""Long enough for requests to wait for a lock until the service stops listening."""

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
STEPS = ("+3600", "-3600", "+0")
"""Steps of the clock in seconds, one after another."""


@pytest.fixture(name="patient")
async def _patient(
    service: Path, settings: dict[str, str], tmp_path: Path
) -> AsyncIterator[Replica]:
    """The service, ready, with time for requests to wait for a lock."""
    log = tmp_path / "service.log"
    async with Replica(service, log, **settings | PATIENT) as replica:
        yield replica


async def test_sigterm_fails_no_request(
    patient: Replica, database: Postgres, connection: asyncpg.Connection, report: Report
) -> None:
    """Clients that leave when readiness fails, as behind a load balancer, see no failure.

    Requests in progress when the service stops listening are answered, and the exit code is 0.
    """
    async with Load(patient.url) as load, httpx.AsyncClient() as client:
        termination = asyncio.create_task(patient.terminate())
        while await patient.is_ready(client):  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(0.02)
        fault_ended = monotonic()
        async with connection.transaction():
            await connection.execute("LOCK TABLE products IN ACCESS EXCLUSIVE MODE")
            late_request = asyncio.create_task(load.request("GET", f"{PRODUCTS}?limit=1"))
            leaving = asyncio.create_task(load.stop())
            await patient.until_deaf()
        await leaving
        assert await late_request is not None
        assert await termination == 0
    figures = await load.account("service: SIGTERM", fault_ended, database.url)
    report(figures)
    figures.check()


async def test_sigkill_loses_nothing_acknowledged(
    replica: Replica, database: Postgres, report: Report
) -> None:
    """After a kill -9 and a start, all acknowledged writes are there."""
    async with Load(replica.url) as load:
        replica.kill()
        replica.start()
        fault_ended = await load.recover()
    figures = await load.account("service: SIGKILL and started", fault_ended, database.url)
    report(figures)
    figures.check(503, BROKEN, REFUSED)


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed: apt install faketime")
async def test_the_clock_is_stepped(
    service: Path,
    settings: dict[str, str],
    database: Postgres,
    tmp_path: Path,
    report: Report,
) -> None:
    """An hour forward and two back: timeouts, pools and queues use a monotonic clock."""
    clock = tmp_path / "clock"
    clock.write_text("+0")
    variables = settings | {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    async with (
        Replica(service, tmp_path / "service.log", **variables) as replica,
        Load(replica.url) as load,
    ):
        for step in STEPS:
            clock.write_text(step)
            await asyncio.sleep(1)
        fault_ended = await load.recover()
        await load.stop()
        figures = await load.account("clock stepped an hour", fault_ended, database.url)
        report(figures, "and back")
        hours = {line.split('"timestamp": "')[-1][:13] for line in replica.output.splitlines()}
        assert len(hours) >= 3, "the service did not see the steps"
    figures.check()
