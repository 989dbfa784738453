"""What becomes of the events of one batch."""

import asyncio
from types import SimpleNamespace
from typing import Any

from aiokafka.errors import KafkaError, MessageSizeTooLargeError, ProducerClosed

from orders.internal.kafka.outbox.batches import send


class Producer:
    """Takes batches, and answers each with the same error or with none."""

    def __init__(self, error: KafkaError | None = None) -> None:
        self.error = error
        self.values: list[bytes] = []

    def create_batch(self) -> SimpleNamespace:
        """Return a batch that takes everything."""
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


async def test_a_producer_that_closes_is_a_failure_like_others() -> None:
    """Nothing is sent or refused, and the reason is known."""
    producer: Any = Producer(ProducerClosed())
    outcome = await send(producer, 0, [row(1)], 1000)
    assert (outcome.sent, outcome.refused) == ([], {})
    assert isinstance(outcome.failure, ProducerClosed)


async def test_a_row_that_cannot_be_sent_holds_up_no_other() -> None:
    """A row that is too large, and rows that are not events, are refused; the others are sent."""
    producer: Any = Producer()
    rows = [row(1, b"x" * 2000), row(2), row(3, headers="[]"), row(4, headers="nonsense"), row(5)]
    outcome = await send(producer, 0, rows, 1000)
    assert outcome.sent == [2, 5]
    assert set(outcome.refused) == {1, 3, 4}
    assert "bytes" in outcome.refused[1]


async def test_several_that_brokers_refuse_together_are_tried_alone() -> None:
    """None of them is refused for good until it was sent alone."""
    producer: Any = Producer(MessageSizeTooLargeError())
    outcome = await send(producer, 0, [row(1), row(2)], 1000)
    assert outcome.is_suspect
    assert outcome.refused == {}
    outcome = await send(producer, 0, [row(1)], 1000)
    assert list(outcome.refused) == [1]
