"""Without a database, a batch of events is sent at once in its order, or refused entirely."""

import json
from typing import ClassVar

import httpx
import pytest

from orders.internal.http.openapi import Application
from orders.internal.kafka import EventBase, EventRefusedError, Producer
from orders.internal.kafka.cloud_events import BATCH_EVENTS
from orders.internal.kafka.sender import Sender
from orders.main import create_app
from orders.settings import Settings

from tests.harness.kafka.messages import Messages

MAX_EVENT_SIZE = 1000


class Happened(EventBase):
    """An event with a constant key, which keeps the order."""

    topic: ClassVar[str] = "batches"
    type: ClassVar[str] = "happened"

    number: int
    text: str = ""

    @property
    def key(self) -> str:
        """Return the constant key."""
        return "a"


@pytest.fixture
def app(settings: Settings) -> Application:
    """The service, with an endpoint that publishes the events of its body."""
    app = create_app(settings.model_copy(update={"kafka_max_event_size": MAX_EVENT_SIZE}))

    @app.post("/import")
    async def publish(events: list[Happened], producer: Producer) -> str:
        try:
            await producer.publish_all(iter(events))
        except EventRefusedError as error:
            return str(error)
        return "published"

    return app


async def test_a_batch_is_sent_in_its_order(
    api_client: httpx.AsyncClient, app: Application, settings: Settings
) -> None:
    """All replicas have every event when `publish_all` returns, for any number of batches."""
    numbers = list(range(2 * BATCH_EVENTS + 1))
    response = await api_client.post("/import", json=[{"number": number} for number in numbers])
    assert response.json() == "published"
    assert app.resources.get(Sender).waiting == 0
    assert await sent(settings, len(numbers)) == numbers


async def test_an_event_that_is_too_large_stops_the_batch(
    api_client: httpx.AsyncClient, settings: Settings
) -> None:
    """Sizes are checked first. No event of the batch is sent, and the next batch is."""
    large = {"number": 2, "text": "x" * MAX_EVENT_SIZE}
    response = await api_client.post("/import", json=[{"number": 1}, large])
    assert "KAFKA_MAX_EVENT_SIZE" in response.json()
    response = await api_client.post("/import", json=[])
    assert response.json() == "published"
    response = await api_client.post("/import", json=[{"number": 3}])
    assert response.json() == "published"
    assert await sent(settings, 1) == [3]


async def sent(settings: Settings, number: int) -> list[int]:
    """Return the numbers of the first events on the topic."""
    servers, namespace = settings.kafka_bootstrap_servers, settings.kafka_namespace
    async with Messages(servers, namespace) as messages:
        records = await messages.read("batches", number)
    return [json.loads(message.value)["number"] for message in records]
