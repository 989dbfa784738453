"""A broker without auto-creation of topics, and one that has deleted unread messages."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, ClassVar

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from orders.internal.database import DatabaseSessionManager
from orders.internal.kafka import (
    ConsumerBase,
    Consumers,
    EventBase,
    MessageScope,
    producer_for,
)
from orders.internal.kafka.cloud_events import encode
from orders.internal.kafka.outbox.relay import Relay
from orders.main import create_app
from orders.settings import Settings

from tests.harness.kafka.messages import Messages, eventually
from tests.harness.lifespan import running
from tests.kafka.broker import Broker

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORT = {"retention.ms": "500", "segment.ms": "200", "file.delete.delay.ms": "0"}


class Noted(EventBase):
    """An event on an existing topic."""

    topic: ClassVar[str] = "there"
    type: ClassVar[str] = "noted"

    number: int


class Strayed(Noted):
    """An event on a missing topic."""

    topic: ClassVar[str] = "nowhere"
    type: ClassVar[str] = "strayed"


class Recorder(ConsumerBase[Noted]):
    """Records the numbers of events."""

    topic = "there"
    name = "recorder"
    events = (Noted,)
    numbers: ClassVar[list[int]] = []

    async def handle(self, event: Noted, scope: MessageScope) -> None:  # noqa: ARG002
        """Record the event's number."""
        self.numbers.append(event.number)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Iterator[Broker]:
    """A broker without auto-creation of topics, as in many clusters."""
    del broker  # requested so that both exist or neither
    started = Broker(tmp_path_factory.mktemp("strict"), "auto.create.topics.enable=false")
    try:
        started.start()
        yield started
    finally:
        started.kill()


@pytest.fixture
def settings(settings_values: dict[str, object], strict: Broker) -> Settings:
    """The service's settings with that broker."""
    values: dict[str, Any] = {
        **settings_values,
        "kafka_bootstrap_servers": strict.address,
        "kafka_request_timeout": 3,
    }
    return Settings(**{"_env_file": None, **values})


async def make_topic(settings: Settings, name: str, configs: dict[str, str]) -> None:
    """Create a topic with one partition."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        topic = NewTopic(settings.kafka_namespace + name, 1, 1, topic_configs=configs)
        await admin.create_topics([topic])
    finally:
        await admin.close()


async def test_events_for_a_missing_topic_wait_for_it(
    settings: Settings, migrated_postgres: str
) -> None:
    """All others are sent, the probe names the topic, and the events are sent once it exists."""
    await make_topic(settings, "there", {})
    app = create_app(settings)
    app.resources.replace(Consumers, Consumers([]))
    connection = await asyncpg.connect(migrated_postgres)
    namespace = settings.kafka_namespace

    async def waiting() -> int:
        number: int = await connection.fetchval("SELECT count(*) FROM internal.outbox")
        return number

    async def is_named() -> bool:
        return f"there is no topic {namespace}nowhere" in app.resources.get(Relay).failures

    async with (
        running(app),
        Messages(settings.kafka_bootstrap_servers, namespace) as messages,
    ):
        async with app.resources.get(DatabaseSessionManager).session() as session:
            producer = producer_for(app.resources, session)
            for event in (Strayed(number=1), Noted(number=2), Strayed(number=3), Noted(number=4)):
                await producer.publish(event)
        received = await messages.read("there", 2)
        assert [message.value for message in received] == [b'{"number":2}', b'{"number":4}']
        await eventually(waiting, 2)
        await eventually(is_named, expected=True)
        await make_topic(settings, "nowhere", {})
        await eventually(waiting, 0)
        received = await messages.read("nowhere", 2)
        assert sorted(message.value for message in received) == [b'{"number":1}', b'{"number":3}']
    await connection.close()


async def test_a_dead_letter_that_the_broker_refuses_is_kept_without_its_value(
    settings: Settings,
) -> None:
    """The topic of dead letters allows smaller messages than the message's topic."""
    await make_topic(settings, "there", {})
    await make_topic(settings, "there.dead-letters", {"max.message.bytes": "3000"})
    namespace = settings.kafka_namespace
    app = create_app(settings)
    app.resources.replace(Consumers, Consumers([Recorder]))
    async with (
        running(app),
        Messages(settings.kafka_bootstrap_servers, namespace) as messages,
    ):
        value = random.randbytes(5000)  # noqa: S311 - nothing secret
        await messages.send("there", value, b"a", ce_type="noted", ce_id="1")
        (letter,) = await messages.read("there.dead-letters", 1)
    headers = {name: text.decode() for name, text in letter.headers}
    assert (letter.value, headers["dead_letter_left_out_bytes"]) == (b"", "5000")
    assert (headers["ce_id"], headers["dead_letter_topic"]) == ("1", f"{namespace}there")


async def test_deleted_messages_do_not_block_a_group(settings: Settings) -> None:
    """A group whose offset is gone continues with the oldest remaining message."""
    await make_topic(settings, "there", SHORT)
    topic = settings.kafka_namespace + "there"
    partition = TopicPartition(topic, 0)

    class Own(Recorder):
        numbers: ClassVar[list[int]] = []

    async def numbers() -> list[int]:
        return Own.numbers

    app = create_app(settings)
    app.resources.replace(Consumers, Consumers([Own]))
    reader = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers)
    await asyncio.gather(reader.start(), producer.start())

    async def send(number: int) -> None:
        record = encode(Noted(number=number), source="s", namespace="", traceparent="")
        await producer.send_and_wait(topic, record.value, key=record.key, headers=record.headers)

    try:
        async with running(app):
            await send(1)
            await eventually(numbers, [1])
        await send(2)
        async with asyncio.timeout(60):
            while (await reader.beginning_offsets([partition]))[partition] < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        async with running(app):
            await send(3)
            await eventually(numbers, [1, 3])
    finally:
        await asyncio.gather(reader.stop(), producer.stop())
