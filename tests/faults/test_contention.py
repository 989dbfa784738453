"""Requests compete for connections and locks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.faults.load import RECOVERY, Load

if TYPE_CHECKING:
    import asyncpg

    from tests.faults.conftest import Report
    from tests.faults.replica import Replica
    from tests.faults.surroundings import Postgres

MANY_CLIENTS = 40
SECONDS = 4.0

SLOW = """
CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(0.8);
    RETURN NEW;
END $$;
CREATE TRIGGER dawdle BEFORE INSERT ON products FOR EACH ROW EXECUTE FUNCTION dawdle();
"""
FAST = "DROP TRIGGER dawdle ON products"

STORM = """
CREATE TABLE storm (id integer PRIMARY KEY, count integer NOT NULL);
INSERT INTO storm VALUES (0, 0), (1, 0);
CREATE FUNCTION storm() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE first integer := floor(random() * 2);
BEGIN
    UPDATE storm SET count = count + 1 WHERE id = first;
    PERFORM pg_sleep(0.005);
    UPDATE storm SET count = count + 1 WHERE id = 1 - first;
    RETURN NEW;
END $$;
CREATE TRIGGER storm AFTER UPDATE ON products FOR EACH ROW EXECUTE FUNCTION storm();
"""
CALM = "DROP TRIGGER storm ON products"
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


async def test_slow_queries_use_every_connection(
    replica: Replica, database: Postgres, connection: asyncpg.Connection, report: Report
) -> None:
    """A request that gets no connection in time is 503 with Retry-After. The others succeed."""
    async with Load(replica.url, MANY_CLIENTS) as load:
        await connection.execute(SLOW)
        await load.refused()
        await asyncio.sleep(SECONDS)
        await connection.execute(FAST)
        fault_ended = await load.recover()
    figures = await load.account("pool exhausted by slow queries", fault_ended, database.url)
    report(figures)
    figures.check(503)
    assert figures.outcomes["503"] > 0


async def test_many_requests_deadlock(
    replica: Replica, database: Postgres, connection: asyncpg.Connection, report: Report
) -> None:
    """Requests that lock rows in opposite orders are repeated, and no change is lost."""
    await connection.execute("ALTER SYSTEM SET deadlock_timeout = '20ms'")
    await connection.execute("SELECT pg_reload_conf()")
    async with Load(replica.url) as load:
        await connection.execute(STORM)
        async with asyncio.timeout(RECOVERY):
            while not await connection.fetchval(DEADLOCKS):  # noqa: ASYNC110 - the server's count
                await asyncio.sleep(0.1)
        await asyncio.sleep(SECONDS)
        await connection.execute(CALM)
        fault_ended = await load.recover()
    figures = await load.account("storm of deadlocks", fault_ended, database.url)
    deadlocks = await connection.fetchval(DEADLOCKS)
    report(figures, f"({deadlocks})")
    figures.check(503)
    assert deadlocks > 0
