"""Keeps the tables small, a little at a time, so that sending goes on meanwhile."""

from time import monotonic

import asyncpg
import structlog

INTERVAL = 600.0
"""Seconds between two looks at what can be deleted."""

AT_ONCE = 1000
"""Rows that one step deletes at the most."""

PRUNE = """
DELETE FROM internal.inbox WHERE ctid = ANY (ARRAY (
    SELECT ctid FROM internal.inbox
    WHERE handled_at < now() - $1 * interval '1 day' ORDER BY handled_at LIMIT $2
))
"""
SET_ASIDE = "SELECT count(*) FROM internal.outbox WHERE error IS NOT NULL"

logger = structlog.get_logger(__name__)


class Pruning:
    """Forgets handled messages after some days, and reminds of events that were set aside."""

    def __init__(self, retention: float) -> None:
        self._retention = retention
        self._next = 0.0

    async def step(self, connection: asyncpg.Connection) -> bool:
        """Delete a few rows when it is time; return whether there may be more."""
        if monotonic() < self._next:
            return False
        status = await connection.execute(PRUNE, self._retention, AT_ONCE)
        if status == f"DELETE {AT_ONCE}":
            return True
        self._next = monotonic() + INTERVAL
        if number := await connection.fetchval(SET_ASIDE):
            logger.error("events are set aside", number=number, table="internal.outbox")
        return False
