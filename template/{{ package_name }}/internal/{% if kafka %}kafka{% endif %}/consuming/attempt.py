"""One attempt at handling one message."""

import random
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI

from ..cloud_events import decode, header_texts
from ..consumer_base import ConsumerBase
from ..dead_letters import MEANT_FOR, dead_letter, without_value
from ..delivery import TRANSIENT, open_scope
from ..errors import EventError, EventRefusedError, UnreadableMessageError
from ..settings_base import ConsumerSettings
from ..trace import continue_trace
from .counters import Counters
from .lanes import Delivery

logger = structlog.get_logger(__name__)


class Attempts:
    """Handles messages for one consumer: tries again after a failure, and at last gives up."""

    def __init__(
        self, app: FastAPI, consumer: ConsumerBase[Any], group: str, settings: ConsumerSettings
    ) -> None:
        self._app = app
        self._consumer = consumer
        self._group = group
        self._settings = settings
        self._events: dict[str, dict[int, type[Any]]] = {}
        for event in consumer.events:
            self._events.setdefault(event.type, {})[event.version] = event
        self.counters = Counters()

    async def __call__(self, delivery: Delivery) -> float | None:
        """Handle a message; return None when it is settled, or the seconds until another try."""
        if delivery.dead:
            return await self._bury(delivery)
        try:
            await self._try(delivery)
        except UnreadableMessageError as error:
            delivery.dead = error
        except TRANSIENT as error:
            delivery.attempts -= 1
            return self._again(delivery, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next message has its turn
            if delivery.attempts < self._settings.kafka_consumer_attempts:
                return self._again(delivery, error)
            delivery.dead = error
        else:
            return None
        return await self._bury(delivery)

    async def _try(self, delivery: Delivery) -> None:
        message = delivery.message
        headers = delivery.headers = header_texts(message.headers)
        delivery.attempts += 1
        event = None
        if headers.get(MEANT_FOR, self._group) == self._group:
            event = decode(message.value, headers, self._events)
        if event is None:
            self.counters.skipped += 1
            return
        continue_trace(headers.get("ce_traceparent"))
        async with open_scope(self._app, self._group, _message_id(message, headers)) as scope:
            if scope is not None:
                await self._consumer.handle(event, scope)
        if scope is None:
            self.counters.duplicates += 1
        else:
            self.counters.handled += 1

    def _again(self, delivery: Delivery, error: Exception) -> float:
        self.counters.retries += 1
        limit = self._settings.kafka_consumer_backoff_limit
        # The exponent is bounded: what is no fault of the event's is tried for ever.
        backoff = self._settings.kafka_consumer_backoff * 2.0 ** min(delivery.retries, 20)
        delivery.retries += 1
        delay = min(backoff, limit) * random.uniform(0.5, 1)  # noqa: S311 - no secret
        logger.warning(
            "event failed, will be tried again",
            **self._where(delivery),
            attempts=delivery.attempts,
            delay=round(delay, 3),
            error=repr(error),
        )
        return delay

    async def _bury(self, delivery: Delivery) -> float | None:
        error = delivery.dead or UnreadableMessageError("unknown")
        record = dead_letter(delivery.message, error, delivery.attempts, self._group)
        try:
            try:
                await self._app.state.producer.send(record)
            except EventRefusedError:
                await self._app.state.producer.send(without_value(record))
        except EventError as failure:
            return self._again(delivery, failure)
        self.counters.dead_letters += 1
        logger.error(
            "dead letter",
            **self._where(delivery),
            attempts=delivery.attempts,
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


def _message_id(message: Any, headers: Mapping[str, str]) -> str:  # noqa: ANN401 - a ConsumerRecord
    if known := headers.get("ce_id"):
        return f"{headers.get('ce_source', '')}#{known}"
    return f"{message.topic}/{message.partition}/{message.offset}"
