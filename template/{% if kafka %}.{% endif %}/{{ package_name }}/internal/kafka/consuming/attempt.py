"""Handles one message, and decides what follows a failure."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from ...resources import Resources
from ..background import HandlerStuckError, backoff, run_isolated
from ..cloud_events import binary_mode, continue_trace, decode, header_texts
from ..consumer_base import ConsumerBase
from ..dead_letters import MEANT_FOR, dead_letter, error_text, without_value
from ..delivery import TRANSIENT, open_scope
from ..errors import EventError, EventRefusedError, UnreadableMessageError
from ..sender import Sender
from ..settings import KafkaSettings
from .key_queues import Delivery
from .progress import Counters

NOT_RETRIED = (UnreadableMessageError, HandlerStuckError)
"""Errors after which a message becomes a dead letter at once."""

OUTAGES: Final = 20
"""Failures of one message that count as an outage while other messages are handled."""

ID_LIMIT: Final = 1000
"""Bytes of the longest id that the inbox stores as it is. Of a longer one it stores a digest."""

logger = structlog.get_logger(__name__)


class Attempts:
    """Handles the messages of one consumer, with retries and at last a dead letter."""

    def __init__(self, resources: Resources, consumer: ConsumerBase[Any], group: str) -> None:
        self._resources = resources
        self._consumer = consumer
        self._group = group
        self._settings = resources.get(KafkaSettings)
        self._events: dict[str, dict[int, type[Any]]] = {}
        for event in consumer.events:
            self._events.setdefault(event.type, {})[event.version] = event
        self.counters = Counters()

    async def __call__(self, delivery: Delivery) -> float | None:
        """Handle a message. Return None when it is done, or the seconds until the next attempt."""
        if delivery.dead is None:
            error = await run_isolated(self._try(delivery), self._settings.kafka_consumer_timeout)
            if error is None:
                return None
            if self._is_retried(delivery, error):
                return self._retry(delivery, error)
            delivery.dead = error
        return await self._save_dead_letter(delivery, delivery.dead)

    async def _try(self, delivery: Delivery) -> None:
        message = delivery.message
        delivery.attempts += 1
        delivery.headers = header_texts(message.headers)
        value, headers = binary_mode(message.value, delivery.headers)
        event = None
        if headers.get(MEANT_FOR, self._group) == self._group:
            event = decode(value, headers, self._events, _timestamp(message))
        if event is None:
            self.counters.skipped += 1
            return
        continue_trace(headers.get("ce_traceparent"))
        async with open_scope(self._resources, self._group, message_id(message, headers)) as scope:
            if scope is not None:
                await self._consumer.handle(event, scope)
        if scope is None:
            self.counters.duplicates += 1
        else:
            self.counters.handled += 1

    def _is_retried(self, delivery: Delivery, error: BaseException) -> bool:
        if isinstance(error, NOT_RETRIED):
            return False
        if isinstance(error, TRANSIENT) and self._is_outage(delivery):
            delivery.attempts -= 1
            return True
        return delivery.attempts < self._settings.kafka_consumer_attempts

    def _is_outage(self, delivery: Delivery) -> bool:
        """Return whether the failure counts as an outage, which would hit other messages too.

        A message that itself causes the outage, for example by crashing a server that its handler
        needs, must not be retried for ever.
        """
        if delivery.retries and self.counters.handled > delivery.handled_before:
            delivery.outages += 1
        delivery.handled_before = self.counters.handled
        return delivery.outages <= OUTAGES

    def _retry(self, delivery: Delivery, error: BaseException) -> float:
        self.counters.retries += 1
        limit = self._settings.kafka_consumer_backoff_limit
        # The exponent is bounded: an event that fails because of an outage is retried for ever.
        seconds = self._settings.kafka_consumer_backoff * 2.0 ** min(delivery.retries, 20)
        delivery.retries += 1
        delay = backoff(min(seconds, limit))
        logger.warning(
            "event failed, will be retried",
            **self._where(delivery),
            attempts=delivery.attempts,
            delay=round(delay, 3),
            error=error_text(error),
        )
        return delay

    async def _save_dead_letter(self, delivery: Delivery, error: BaseException) -> float | None:
        try:
            record = dead_letter(delivery.message, error, delivery.attempts, self._group)
            sender = self._resources.get(Sender)
            try:
                await sender.send(record, limited=False)
            except EventRefusedError:
                await sender.send(without_value(record), limited=False)
        except EventError as failure:
            return self._retry(delivery, failure)
        except Exception as failure:
            logger.exception("dead letter not saved", **self._where(delivery))
            return self._retry(delivery, failure)
        self.counters.dead_letters += 1
        logger.error(
            "dead letter",
            **self._where(delivery),
            attempts=delivery.attempts,
            error=error_text(error),
            exc_info=(type(error), error, error.__traceback__),
        )
        return None

    def _where(self, delivery: Delivery) -> Mapping[str, Any]:
        message = delivery.message
        return {
            "consumer": self._group,
            "topic": message.topic,
            "partition": message.partition,
            "offset": message.offset,
            "event_id": delivery.headers.get("ce_id"),
        }


def message_id(message: Any, headers: Mapping[str, str]) -> str:  # noqa: ANN401 - a ConsumerRecord
    """Return a unique id of a message: its event's source and id, if it has one."""
    source, event_id = headers.get("ce_source", ""), headers.get("ce_id")
    if not event_id:
        return f"{message.topic}/{message.partition}/{message.offset}"
    text = f"{source}#{event_id}"
    if text.count("#") == 1 and "\0" not in text and len(text.encode()) <= ID_LIMIT:
        return text
    # A digest is unambiguous, short, and free of characters that some stores refuse.
    return "sha256:" + hashlib.sha256(json.dumps([source, event_id]).encode()).hexdigest()


def _timestamp(message: Any) -> datetime | None:  # noqa: ANN401 - a ConsumerRecord
    try:
        return datetime.fromtimestamp(message.timestamp / 1000, UTC)
    except (OverflowError, OSError, ValueError, TypeError):
        return None
