"""Each event of a batch is sent, refused or tried again."""

import asyncio
from types import SimpleNamespace
from typing import Any

from aiokafka.errors import KafkaError, MessageSizeTooLargeError, ProducerClosed

from orders.internal.kafka.outbox.batches import send


class Producer:
    """Takes batches, and answers each with the same error or with success."""

    def __init__(self, error: KafkaError | None = None) -> None:
        self.error = error
        self.values: list[bytes] = []

    def create_batch(self) -> SimpleNamespace:
        """Return a batch that takes every message."""
        return SimpleNamespace(append=self._append, close=lambda: None)

    async def send_batch(self, *_: object, **__: int) -> "asyncio.Future[None]":
        """Send a batch."""
        future = asyncio.get_running_loop().create_future()
        if self.error:
            future.set_exception(self.error)
        else:
            future.set_result(None)
        return future

    def _append(self, *, value: bytes, **_: object) -> bool:
        self.values.append(value)
        return True


def row(number: int, value: bytes = b"{}", headers: str = "{}") -> dict[str, object]:
    """Return a row of the outbox."""
    return {"id": number, "topic": "t", "key": b"k", "value": value, "headers": headers}


async def test_a_closing_producer_is_a_failure_like_others() -> None:
    """Nothing is sent or refused, and the reason is recorded."""
    producer: Any = Producer(ProducerClosed())
    outcome = await send(producer, 0, [row(1)], 1000)
    assert (outcome.sent, outcome.refused) == ([], {})
    assert isinstance(outcome.failure, ProducerClosed)


async def test_an_invalid_row_does_not_block_others() -> None:
    """Rows that are too large or are not events are refused. The others are sent."""
    producer: Any = Producer()
    rows = [row(1, b"x" * 2000), row(2), row(3, headers="[]"), row(4, headers="nonsense"), row(5)]
    outcome = await send(producer, 0, rows, 1000)
    assert outcome.sent == [2, 5]
    assert set(outcome.refused) == {1, 3, 4}
    assert "bytes" in outcome.refused[1]


async def test_events_refused_together_are_retried_alone() -> None:
    """An event is refused for good only after it was sent alone."""
    producer: Any = Producer(MessageSizeTooLargeError())
    outcome = await send(producer, 0, [row(1), row(2)], 1000)
    assert outcome.is_suspect
    assert outcome.refused == {}
    outcome = await send(producer, 0, [row(1)], 1000)
    assert list(outcome.refused) == [1]
