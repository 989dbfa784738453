"""Remembers which messages have been handled, for some days."""

from time import monotonic

import asyncpg
import structlog
from sqlalchemy import func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ...database import database_errors
from .tables import inbox

INTERVAL = 600.0
"""Seconds between two rounds of pruning."""

PRUNED_ROWS = 1000
"""Rows that one step deletes, at the most."""

PRUNE = """
DELETE FROM internal.inbox WHERE ctid = ANY (ARRAY (
    SELECT ctid FROM internal.inbox
    WHERE handled_at < now() - $1 * interval '1 day' ORDER BY handled_at LIMIT $2
))
"""
SET_ASIDE = "SELECT count(*) FROM internal.outbox WHERE error IS NOT NULL"

logger = structlog.get_logger(__name__)


async def is_new(session: AsyncSession, group: str, message_id: str, idle: float) -> bool:
    """Record, in the handler's transaction, that a group handles a message.

    Return whether it is new. If another transaction handles the same message, wait for it. The
    transaction may be idle for `idle` seconds, while the handler waits for something else.
    """
    limit = func.set_config("idle_in_transaction_session_timeout", f"{idle:.0f}s", True)  # noqa: FBT003 - SQL
    limited = select(limit.label("idle")).cte("limited").prefix_with("MATERIALIZED")
    values = select(literal(group), literal(message_id)).select_from(limited)
    insert_id = insert(inbox).from_select(("consumer", "message_id"), values)
    with database_errors():
        added = await session.scalar(
            insert_id.on_conflict_do_nothing().returning(inbox.c.message_id)
        )
    return added is not None


class Pruning:
    """Deletes the ids of old messages, and logs a reminder of events that were set aside."""

    def __init__(self, retention: float) -> None:
        self._retention = retention
        self._next = 0.0

    async def step(self, connection: asyncpg.Connection) -> bool:
        """Delete some rows if it is time to. Return whether there may be more."""
        if monotonic() < self._next:
            return False
        status = await connection.execute(PRUNE, self._retention, PRUNED_ROWS)
        if status == f"DELETE {PRUNED_ROWS}":
            return True
        self._next = monotonic() + INTERVAL
        if number := await connection.fetchval(SET_ASIDE):
            logger.error("events are set aside", number=number, table="internal.outbox")
        return False
