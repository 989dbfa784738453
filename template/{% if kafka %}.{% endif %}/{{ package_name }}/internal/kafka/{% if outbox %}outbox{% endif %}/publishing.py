"""Publishes events by saving them with the change that they tell of."""

from typing import Final

from fastapi import FastAPI
from sqlalchemy import func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from ...database import database_errors
from ..cloud_events import encode
from ..event_base import EventBase
from ..producer_base import ProducerBase
from ..trace import traceparent
from .tables import CHANNEL, outbox

KEY_LOCKS: Final = 0x6F626F78
"""The class of the advisory locks on keys ("obox" in ASCII)."""

KEY_LOCKS_AT_MOST: Final = 4096
"""Keys share this many locks, so that a large transaction does not use up the server's."""


class OutboxProducer(ProducerBase):
    """Saves events in the caller's transaction: they are sent if, and only if, it commits."""

    def __init__(self, session: AsyncSession, app: FastAPI, trace: str | None = None) -> None:
        self._session = session
        self._source: str = app.state.settings.service_name
        self._namespace: str = app.state.settings.kafka_namespace
        self._trace = trace

    async def publish(self, event: EventBase) -> None:
        """Save an event, which will be sent after those of the same key that were saved before."""
        record = encode(
            event,
            source=self._source,
            namespace=self._namespace,
            traceparent=traceparent(self._trace),
        )
        # Until this transaction ends, no other one numbers an event of this key: the order of the
        # numbers is the order of the commits.
        lock = (
            select(
                func.pg_advisory_xact_lock(
                    KEY_LOCKS, func.hashtext(f"{record.topic}/{event.key}") % KEY_LOCKS_AT_MOST
                ).label("held")
            )
            .cte("lock")
            .prefix_with("MATERIALIZED", dialect="postgresql")
        )
        columns = ("topic", "key", "value", "headers")
        values = select(
            literal(record.topic, outbox.c.topic.type),
            literal(record.key, outbox.c.key.type),
            literal(record.value, outbox.c.value.type),
            literal(_texts(record.headers), outbox.c.headers.type),
        ).select_from(lock)
        saved = insert(outbox).from_select(columns, values).returning(outbox.c.id).cte("saved")
        with database_errors():
            await self._session.execute(select(func.pg_notify(CHANNEL, "")).select_from(saved))


def _texts(headers: list[tuple[str, bytes]]) -> dict[str, str]:
    return {name: value.decode() for name, value in headers}
