"""After the database fails and returns, nothing is lost, and the service needs no restart."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.faults.load import Load

if TYPE_CHECKING:
    from tests.faults.conftest import Report
    from tests.faults.replica import Replica
    from tests.faults.surroundings import Postgres

AWAY = 2.0
FROZEN = 7.0
"""Seconds, more than all timeouts of a request together."""


async def test_postgresql_is_killed(replica: Replica, database: Postgres, report: Report) -> None:
    """All its processes are killed, and it starts later and recovers."""
    async with Load(replica.url) as load:
        database.kill()
        await asyncio.sleep(AWAY)
        await asyncio.to_thread(database.start)
        fault_ended = await load.recover()
    figures = await load.account("PostgreSQL killed and started", fault_ended, database.url)
    report(figures)
    figures.check(503)
    assert figures.outcomes["503"] > 0


async def test_postgresql_is_stopped(replica: Replica, database: Postgres, report: Report) -> None:
    """Requests to a server that neither answers nor refuses time out."""
    async with Load(replica.url) as load:
        database.freeze()
        await asyncio.sleep(FROZEN)
        database.thaw()
        fault_ended = await load.recover()
    figures = await load.account("PostgreSQL stopped", fault_ended, database.url)
    report(figures)
    figures.check(503)
    assert figures.outcomes["503"] > 0
