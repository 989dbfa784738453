"""What becomes of events when the producer closes under them."""

import asyncio
from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

from orders.internal.kafka.cloud_events import Record
from orders.internal.kafka.errors import BrokersUnavailable
from orders.internal.kafka.outbox.dispatch import Dispatch, Saved


class Producer:
    """Closes while it sends to the first of two topics, and is slow with the other one."""

    async def partitions_for(self, _: str) -> Collection[int]:
        """Return the topic's partitions."""
        return {0}

    def create_batch(self) -> SimpleNamespace:
        """Return a batch that takes everything."""
        return SimpleNamespace(append=lambda **_: True, close=lambda: None)

    async def send_batch(self, _: object, topic: str, **__: int) -> "asyncio.Future[None]":
        """Send a batch."""
        future = asyncio.get_running_loop().create_future()
        if topic == "closed":
            future.set_exception(BrokersUnavailable("the service stops"))
        else:
            await asyncio.sleep(0.05)
            future.set_result(None)
        return future


async def test_a_producer_that_closes_is_a_failure_like_others() -> None:
    """What other partitions have sent by then is known, and so is why the rest was not."""
    producer: Any = Producer()
    topics = ("closed", "open")
    events = [Saved(number, Record(topic, b"a", b"", [])) for number, topic in enumerate(topics)]
    outcome = await Dispatch(producer, 1000).send(events)
    assert outcome.sent == [1]
    assert isinstance(outcome.failure, BrokersUnavailable)
