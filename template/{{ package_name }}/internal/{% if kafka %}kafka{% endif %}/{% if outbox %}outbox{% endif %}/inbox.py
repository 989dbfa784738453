"""Remembers which messages have been handled."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ...database import database_errors
from .tables import inbox


async def is_new(session: AsyncSession, group: str, message_id: str) -> bool:
    """Note in the handler's transaction that a group handles a message; say if it is the first.

    Another transaction that handles it at this moment is waited for.
    """
    note = insert(inbox).values(consumer=group, message_id=message_id)
    with database_errors():
        noted = await session.scalar(note.on_conflict_do_nothing().returning(inbox.c.message_id))
    return noted is not None
