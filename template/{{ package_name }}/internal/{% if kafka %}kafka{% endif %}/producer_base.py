"""Sends events."""

from typing import Annotated

from aiokafka import AIOKafkaProducer
from fastapi import Depends, Request

from .event_base import EventBase
from .settings import KafkaSettings


class ProducerBase:
    """Sends events, each once and in the order of its key, and waits until brokers have them."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap_servers,
            request_timeout_ms=round(settings.kafka_request_timeout * 1000),
            acks="all",
            enable_idempotence=True,
        )

    async def start(self) -> None:
        """Connect to the cluster."""
        await self._producer.start()

    async def stop(self) -> None:
        """Send what is waiting, and disconnect."""
        await self._producer.stop()

    async def publish(self, event: EventBase) -> None:
        """Send an event, and return when every in-sync replica has it."""
        headers = [("ce_type", event.type.encode()), ("ce_id", str(event.id).encode())]
        await self._producer.send_and_wait(
            event.topic,
            event.model_dump_json().encode(),
            key=event.key.encode(),
            headers=headers,
        )


async def application_producer(request: Request) -> ProducerBase:
    """Return the producer of the application."""
    producer: ProducerBase = request.app.state.producer
    return producer


Producer = Annotated[ProducerBase, Depends(application_producer)]
