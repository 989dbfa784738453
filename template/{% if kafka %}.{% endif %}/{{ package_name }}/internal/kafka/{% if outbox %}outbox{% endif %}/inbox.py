"""Remembers which messages have been handled."""

from sqlalchemy import func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ...database import database_errors
from .tables import inbox


async def is_new(session: AsyncSession, group: str, message_id: str, idle: float) -> bool:
    """Note in the handler's transaction that a group handles a message; say if it is the first.

    Another transaction that handles it at this moment is waited for. The transaction may be idle
    for `idle` seconds: a handler may wait for something else than the database.
    """
    limit = func.set_config("idle_in_transaction_session_timeout", f"{idle:.0f}s", True)  # noqa: FBT003 - SQL
    limited = select(limit.label("idle")).cte("limited").prefix_with("MATERIALIZED")
    values = select(literal(group), literal(message_id)).select_from(limited)
    note = insert(inbox).from_select(("consumer", "message_id"), values)
    with database_errors():
        noted = await session.scalar(note.on_conflict_do_nothing().returning(inbox.c.message_id))
    return noted is not None
