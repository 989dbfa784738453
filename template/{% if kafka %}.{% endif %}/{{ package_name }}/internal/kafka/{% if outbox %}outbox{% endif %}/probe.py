"""Looks whether the outbox moves."""

from sqlalchemy import func, select

from ...database import DatabaseSessionManager, database_errors
from ...feature import NotReadyError
from ...http.openapi import Application
from ...resources import Resources
from ..settings import KafkaSettings
from .relay import Relay
from .tables import outbox

COUNTED = 10_000
"""Counting goes this far, so that a look is cheap however many wait."""


class OutboxStuckError(NotReadyError):
    """Events wait for longer than they should, or something keeps them from being sent."""


async def measure(database: DatabaseSessionManager) -> tuple[int, float, int]:
    """Return how many events wait, for how many seconds the oldest has, how many are set aside."""
    waiting = outbox.c.error.is_(None)
    some = select(outbox.c.id).where(waiting).limit(COUNTED + 1).subquery()
    oldest = (
        select(func.extract("epoch", func.now() - outbox.c.saved_at))
        .where(waiting)
        .order_by(outbox.c.id)
        .limit(1)
    )
    aside = select(func.count()).select_from(outbox).where(~waiting)
    query = select(
        select(func.count()).select_from(some).scalar_subquery(),
        func.coalesce(oldest.scalar_subquery(), 0),
        aside.scalar_subquery(),
    )
    async with database.session(read_only=True) as session:
        with database_errors():
            depth, age, set_aside = (await session.execute(query)).one()
    return int(depth), float(age), int(set_aside)


async def outbox_moves(resources: Resources) -> str:
    """Say how many events wait to be sent, for how long, and how many are set aside.

    Raises:
        OutboxStuckError: one has waited for longer than the settings allow, or this replica sends
            and cannot.
    """
    depth, age, set_aside = await measure(resources.get(DatabaseSessionManager))
    counted = str(depth) if depth <= COUNTED else f"over {COUNTED}"
    found = f"{counted} events wait, the oldest for {age:.1f} s; {set_aside} are set aside"
    relay: Relay = resources.get(Application).state.relay
    if relay.troubles:
        raise OutboxStuckError(f"{found}; held up: {relay.troubles}")
    if age > resources.get(KafkaSettings).kafka_outbox_max_age:
        raise OutboxStuckError(found)
    return found
