"""The sending connection keeps working when brokers fail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from types import SimpleNamespace
from typing import ClassVar

import pytest
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from orders.internal.kafka import sender as module
from orders.internal.kafka.cloud_events import Record
from orders.internal.kafka.errors import (
    BrokersUnavailable,
    EventRefusedError,
    ProducerBufferFull,
)
from orders.internal.kafka.sender import Sender
from orders.settings import Settings


class Producer:
    """A producer that answers the messages of each topic as the test says."""

    made: ClassVar[list["Producer"]] = []
    refused: ClassVar[dict[str, KafkaError]] = {"large": MessageSizeTooLargeError()}

    def __init__(self, **_: object) -> None:
        self.made.append(self)
        self.client = SimpleNamespace(close=self._close)
        self.stuck: list[asyncio.Future[None]] = []
        self.values: list[bytes] = []
        self.is_closed = False

    async def start(self) -> None:
        """Connect. The first attempt fails with an unexpected error."""
        if len(self.made) == 1:
            raise ValueError("surprise")

    async def send(self, topic: str, value: bytes, **_: object) -> "asyncio.Future[None]":
        """Take a message."""
        self.values.append(value)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if topic == "stuck":
            self.stuck.append(future)
        elif topic in self.refused:
            future.set_exception(self.refused[topic])
        else:
            future.set_result(None)
        return future

    async def flush(self) -> None:
        """Wait for stuck messages."""
        if self.stuck:
            await asyncio.wait(self.stuck)

    async def stop(self) -> None:
        """Stop once no message is stuck, as aiokafka does."""
        await self.flush()
        self.is_closed = True

    async def _close(self) -> None:
        self.is_closed = True


@pytest.fixture
async def sender(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sender]:
    """A sender with short timeouts, connected at its second attempt."""
    monkeypatch.setattr(Producer, "made", [])
    monkeypatch.setattr(module, "AIOKafkaProducer", Producer)
    monkeypatch.setattr(module, "STOP_TIMEOUT", 0.05)
    short_timeout = settings.model_copy(update={"kafka_request_timeout": 0.3})
    async with Sender(short_timeout) as started:
        async with asyncio.timeout(60):
            while True:
                with suppress(BrokersUnavailable):
                    started.connected()
                    break
                await asyncio.sleep(0.01)
        yield started


def record(topic: str, value: bytes = b"{}") -> Record:
    """Return a message."""
    return Record(topic, b"key", value, [])


async def test_connecting_is_retried_after_any_failure(sender: Sender) -> None:
    """An unexpected error is followed by another attempt."""
    await sender.send(record("t"))
    assert len(Producer.made) == 2


async def test_a_failing_topic_leaves_room_for_others(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If too many of its events wait for too long, new ones are refused. Other topics are sent."""
    monkeypatch.setattr(module, "OVERDUE_AT_MOST", 3)
    sends = [sender.send(record("stuck")) for _ in range(3)]
    failures = await asyncio.gather(*sends, return_exceptions=True)
    assert all(isinstance(error, BrokersUnavailable) for error in failures)
    with pytest.raises(BrokersUnavailable, match="topic stuck"):
        await sender.send(record("stuck"))
    await sender.send(record("t"))
    for future in Producer.made[-1].stuck:
        future.set_result(None)
    await asyncio.sleep(0)
    assert sender.waiting == 0
    waiting = asyncio.create_task(sender.send(record("stuck")))
    await asyncio.sleep(0)
    Producer.made[-1].stuck[-1].set_result(None)
    await waiting


async def test_waiting_events_are_limited_in_bytes(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few large events count as much as many small ones. A single event is always accepted."""
    monkeypatch.setattr(module, "BUFFER_BYTES", 1000)
    await sender.send(record("t", b"x" * 2000))
    first = asyncio.create_task(sender.send(record("stuck", b"x" * 900)))
    await asyncio.sleep(0)
    with pytest.raises(ProducerBufferFull, match="1000 bytes"):
        await sender.send(record("t", b"x" * 900))
    with pytest.raises(BrokersUnavailable):
        await first


async def test_the_limit_applies_to_the_services_own_events(
    sender: Sender, settings: Settings
) -> None:
    """Only brokers refuse messages of other services."""
    large = record("t", b"x" * (settings.kafka_max_event_size + 1))
    with pytest.raises(EventRefusedError, match="KAFKA_MAX_EVENT_SIZE"):
        await sender.send(large)
    await sender.send(large, limited=False)
    with pytest.raises(EventRefusedError, match="brokers refuse"):
        await sender.send(record("large"), limited=False)


async def test_many_events_are_sent_in_order(sender: Sender) -> None:
    """They wait for each other if the buffer has no room for all of them."""
    sender._limit = 3  # noqa: SLF001 - instead of 10,000 events
    values = [b"%d" % number for number in range(10)]
    await sender.send_all([record("t", value) for value in values])
    assert Producer.made[-1].values == values
    assert sender.waiting == 0


async def test_one_event_over_the_limit_stops_all(settings: Settings, sender: Sender) -> None:
    """Sizes are checked before any event is sent."""
    large = record("t", b"x" * (settings.kafka_max_event_size + 1))
    with pytest.raises(EventRefusedError, match="KAFKA_MAX_EVENT_SIZE"):
        await sender.send_all([record("t"), large])
    assert Producer.made[-1].values == []


async def test_a_failure_among_many_events_is_raised(sender: Sender) -> None:
    """The caller gets it without waiting for the others, which count until they end."""
    with pytest.raises(EventRefusedError, match="brokers refuse"):
        await sender.send_all([record("t"), record("large"), record("stuck")])
    assert sender.waiting == 1
    Producer.made[-1].stuck[0].set_result(None)
    await asyncio.sleep(0)
    assert sender.waiting == 0


async def test_a_replaced_producer_finishes_its_messages(sender: Sender) -> None:
    """A failure of one topic does not interrupt the messages of another."""
    waiting = asyncio.create_task(sender.send(record("stuck")))
    await asyncio.sleep(0)
    old = Producer.made[-1]
    with pytest.raises(EventRefusedError):
        await sender.send(record("large"))
    await sender.send(record("t"))
    assert Producer.made[-1] is not old
    assert not old.is_closed
    old.stuck[0].set_result(None)
    await waiting


async def test_stopping_does_not_wait_for_unavailable_brokers(sender: Sender) -> None:
    """Stopping takes a limited time, and closes the connections of every producer."""
    with pytest.raises(BrokersUnavailable):
        await sender.send(record("stuck"))
    async with asyncio.timeout(60):
        await sender.__aexit__()
    assert Producer.made[-1].is_closed


async def test_an_error_while_stopping_does_not_stop_the_shutdown(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log contains aiokafka's error, and the shutdown goes on."""

    async def stop(_: Producer) -> None:
        raise KafkaError("surprise")

    monkeypatch.setattr(Producer, "stop", stop)
    await sender.__aexit__()
