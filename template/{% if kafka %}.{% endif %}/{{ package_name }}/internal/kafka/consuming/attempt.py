"""One attempt at handling one message."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from ...resources import Resources
from ..background import backoff
from ..cloud_events import binary_mode, continue_trace, decode, header_texts
from ..consumer_base import ConsumerBase
from ..dead_letters import MEANT_FOR, dead_letter, error_text, without_value
from ..delivery import TRANSIENT, open_scope
from ..errors import EventError, EventRefusedError, UnreadableMessageError
from ..sender import Sender
from ..settings import KafkaSettings
from .isolation import HandlerStuckError, outcome
from .lanes import Delivery
from .progress import Counters

HOPELESS = (UnreadableMessageError, HandlerStuckError)
"""Errors after which no further attempt is made."""

OUTAGES: Final = 20
"""Failures by an outage that do not count although other messages are handled meanwhile."""

ID_LIMIT: Final = 1000
"""Bytes of an id that the inbox keeps as they are; of a longer one it keeps a digest."""

logger = structlog.get_logger(__name__)


class Attempts:
    """Handles messages for one consumer: tries again after a failure, and at last gives up."""

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
        """Handle a message; return None when it is settled, or the seconds until another try."""
        if delivery.dead is None:
            error = await outcome(self._try(delivery), self._settings.kafka_consumer_timeout)
            if error is None:
                return None
            if self._deserves_another(delivery, error):
                return self._again(delivery, error)
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

    def _deserves_another(self, delivery: Delivery, error: BaseException) -> bool:
        if isinstance(error, HOPELESS):
            return False
        if isinstance(error, TRANSIENT) and self._is_outage(delivery):
            delivery.attempts -= 1
            return True
        return delivery.attempts < self._settings.kafka_consumer_attempts

    def _is_outage(self, delivery: Delivery) -> bool:
        """Return whether to believe that it is not the message's fault: an outage hits others too.

        A message that brings down what handlers need must not be tried for ever.
        """
        if delivery.retries and self.counters.handled > delivery.handled_before:
            delivery.outages += 1
        delivery.handled_before = self.counters.handled
        return delivery.outages <= OUTAGES

    def _again(self, delivery: Delivery, error: BaseException) -> float:
        self.counters.retries += 1
        limit = self._settings.kafka_consumer_backoff_limit
        # The exponent is bounded: an event that fails because of an outage is retried for ever.
        wait = self._settings.kafka_consumer_backoff * 2.0 ** min(delivery.retries, 20)
        delivery.retries += 1
        delay = backoff(min(wait, limit))
        logger.warning(
            "event failed, will be tried again",
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
            return self._again(delivery, failure)
        except Exception as failure:
            logger.exception("dead letter not saved", **self._where(delivery))
            return self._again(delivery, failure)
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
    """Return what tells a message from all others: its event's source and id, if it has one."""
    source, known = headers.get("ce_source", ""), headers.get("ce_id")
    if not known:
        return f"{message.topic}/{message.partition}/{message.offset}"
    text = f"{source}#{known}"
    if text.count("#") == 1 and "\0" not in text and len(text.encode()) <= ID_LIMIT:
        return text
    # Not ambiguous, of limited length, and without characters that some stores refuse.
    return "sha256:" + hashlib.sha256(json.dumps([source, known]).encode()).hexdigest()


def _timestamp(message: Any) -> datetime | None:  # noqa: ANN401 - a ConsumerRecord
    try:
        return datetime.fromtimestamp(message.timestamp / 1000, UTC)
    except (OverflowError, OSError, ValueError, TypeError):
        return None
