"""Messages of Kafka transactions, which only a real broker has."""

from __future__ import annotations

from typing import Any, ClassVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from orders.internal.kafka import ConsumerBase, Consumers, EventBase, MessageScope
from orders.internal.kafka.cloud_events import encode
from orders.internal.kafka.consuming.worker import Workers
from orders.main import create_app
from orders.settings import Settings

from tests.harness.kafka.messages import eventually
from tests.harness.lifespan import running


class Noted(EventBase):
    """An event of another service."""

    topic: ClassVar[str] = "transactions"
    type: ClassVar[str] = "noted"

    number: int

    @property
    def key(self) -> str:
        """The same for all, so that they share a partition."""
        return "key"


class Recorder(ConsumerBase[Noted]):
    """Records the numbers of events."""

    topic = "transactions"
    name = "recorder"
    events = (Noted,)
    numbers: ClassVar[list[int]] = []

    async def handle(self, event: Noted, scope: MessageScope) -> None:  # noqa: ARG002
        """Record the event's number."""
        self.numbers.append(event.number)


async def test_what_was_aborted_has_never_happened(
    settings_values: dict[str, object], kafka_bootstrap_servers: str
) -> None:
    """Only committed messages are handled, and the committed offset reaches the topic's end."""
    values: dict[str, Any] = {**settings_values, "kafka_bootstrap_servers": kafka_bootstrap_servers}
    settings = Settings(**{"_env_file": None, **values})
    app = create_app(settings)
    app.resources.replace(Consumers, Consumers([Recorder]))
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap_servers,
        transactional_id=settings.kafka_namespace + "other",
    )
    await producer.start()
    try:
        for number, commits in ((1, True), (2, False), (3, True)):
            event = Noted(number=number)
            namespace = settings.kafka_namespace
            topic, key, value, headers = encode(
                event, source="other", namespace=namespace, traceparent=""
            )
            await producer.begin_transaction()
            sent = await producer.send_and_wait(topic, value, key=key, headers=headers)
            await (producer.commit_transaction() if commits else producer.abort_transaction())
    finally:
        await producer.stop()
    async with running(app):
        (worker,) = app.resources.get(Workers)

        async def numbers() -> list[int]:
            return Recorder.numbers

        async def lag() -> int:
            return int(worker.state()["lag"])

        await eventually(numbers, [1, 3])
        await eventually(lag, 0)
    reader = AIOKafkaConsumer(
        bootstrap_servers=kafka_bootstrap_servers, group_id=worker.group, enable_auto_commit=False
    )
    await reader.start()
    try:
        partition = TopicPartition(settings.kafka_namespace + "transactions", sent.partition)
        ends = await reader.end_offsets([partition])
        assert await reader.committed(partition) == ends[partition]
    finally:
        await reader.stop()
