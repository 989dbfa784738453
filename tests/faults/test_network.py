"""The network between service and database breaks or hangs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.faults.load import Load
from tests.faults.proxy import Proxy
from tests.faults.replica import Replica
from tests.faults.surroundings import with_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.faults.conftest import Report
    from tests.faults.surroundings import Postgres

CUTS = 20
SILENT = 7.0
"""Seconds, more than all timeouts of a request together."""


@pytest.fixture(name="proxy")
async def _proxy(database: Postgres) -> AsyncIterator[Proxy]:
    """The proxy between the service and its database."""
    async with Proxy(database.port) as proxy:
        yield proxy


@pytest.fixture(name="replica")
async def _replica(
    service: Path, proxy: Proxy, settings: dict[str, str], tmp_path: Path
) -> AsyncIterator[Replica]:
    """The service, ready, which connects to its database through the proxy."""
    settings["DATABASE_URL"] = with_port(settings["DATABASE_URL"], proxy.port)
    async with Replica(service, tmp_path / "service.log", **settings) as replica:
        yield replica


async def test_connections_are_cut(
    replica: Replica, proxy: Proxy, database: Postgres, report: Report
) -> None:
    """Each reset connection fails at most its own request."""
    cut_count = 0
    async with Load(replica.url) as load:
        for _ in range(CUTS):
            cut_count += proxy.cut()
            await asyncio.sleep(0.1)
        fault_ended = await load.recover()
    figures = await load.account("connections cut in queries", fault_ended, database.url)
    report(figures, f"({CUTS} times)")
    figures.check(503)
    assert 0 < figures.outcomes["503"] <= cut_count


async def test_the_network_hangs(
    replica: Replica, proxy: Proxy, database: Postgres, report: Report
) -> None:
    """If the network accepts everything and delivers nothing, requests end by their timeouts."""
    async with Load(replica.url) as load:
        proxy.fall_silent()
        await asyncio.sleep(SILENT)
        proxy.speak()
        fault_ended = await load.recover()
    figures = await load.account("network to the database hangs", fault_ended, database.url)
    report(figures)
    figures.check(503)
    assert figures.outcomes["503"] > 0
