"""Publishes events by saving them in the caller's transaction."""

import json
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Integer, LargeBinary, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from ...config.service_settings import ServiceSettings
from ...database import database_errors
from ...resources import Resources
from ..cloud_events import Record, encode, in_batches, traceparent
from ..event_base import EventBase
from ..producer_base import ProducerBase
from ..settings import KafkaSettings
from .tables import CHANNEL

KEY_LOCKS: Final = 0x6F626F78
"""The class of the advisory locks on keys ("obox" in ASCII)."""

KEY_LOCKS_AT_MOST: Final = 4096
"""Keys share the locks from -4095 to 4095, because a hash and its remainder may be negative.

A server with default settings can hold all of them in one transaction.
"""

SAVE: Final = text("""
WITH held AS MATERIALIZED (
    -- Until this transaction ends, no other one numbers an event of these keys: the order of the
    -- ids is the order of the commits. Everybody locks in one order, so there is no deadlock.
    SELECT count(pg_advisory_xact_lock(:lock_class, lock)) FROM (
        SELECT DISTINCT hashtext(name) % :locks AS lock FROM unnest(:locked) AS name ORDER BY lock
    ) AS locks
), saved AS (
    INSERT INTO internal.outbox (topic, key, value, headers)
    SELECT event.topic, event.key, event.value, event.headers::jsonb
    FROM held, unnest(:topics, :keys, :bodies, :headers) WITH ORDINALITY
        AS event (topic, key, value, headers, number)
    ORDER BY event.number
    RETURNING id
)
SELECT pg_notify(:channel, '') FROM saved LIMIT 1
""").bindparams(
    bindparam("lock_class", KEY_LOCKS, Integer),
    bindparam("locks", KEY_LOCKS_AT_MOST, Integer),
    bindparam("channel", CHANNEL, Text),
    bindparam("locked", type_=ARRAY(Text)),
    bindparam("topics", type_=ARRAY(Text)),
    bindparam("keys", type_=ARRAY(LargeBinary)),
    bindparam("bodies", type_=ARRAY(LargeBinary)),
    bindparam("headers", type_=ARRAY(Text)),
)
"""Locks keys and saves a batch of events, in one round trip. Arrays have no limit of parameters."""


class OutboxProducer(ProducerBase):
    """Saves events in the caller's transaction: they are sent if, and only if, it commits."""

    def __init__(
        self, session: AsyncSession, resources: Resources, trace: str | None = None
    ) -> None:
        self._session = session
        self._source = resources.get(ServiceSettings).service_name
        self._namespace = resources.get(KafkaSettings).kafka_namespace
        self._trace = trace

    async def publish(self, event: EventBase) -> None:
        """Save an event. It is sent after the events of its key that were saved before it."""
        await self.publish_all((event,))

    async def publish_all(self, events: Iterable[EventBase]) -> None:
        """Save many events with a few statements.

        The keys of all events are locked first, in the same order by everybody: two transactions
        that each publish one batch never wait for each other in a circle.
        """
        events = list(events)
        locked = {f"{self._namespace}{event.topic}/{event.key}" for event in events}
        for batch in in_batches(self._encode(event) for event in events):
            values = {
                "locked": list(locked),
                "topics": [record.topic for record in batch],
                "keys": [record.key for record in batch],
                "bodies": [record.value for record in batch],
                "headers": [_json(record.headers) for record in batch],
            }
            with database_errors():
                await self._session.execute(SAVE, values)
            locked = set()  # they stay locked until the transaction ends

    def _encode(self, event: EventBase) -> Record:
        return encode(
            event,
            source=self._source,
            namespace=self._namespace,
            traceparent=traceparent(self._trace),
        )


def _json(headers: list[tuple[str, bytes]]) -> str:
    return json.dumps({name: value.decode() for name, value in headers})
