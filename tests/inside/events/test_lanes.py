"""Messages of one key are handled one after another, whatever happens to their partition."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from orders.internal.kafka.consuming.lanes import Delivery, Lanes
from orders.internal.kafka.consuming.progress import Progress


class Handler:
    """Handles messages, and writes down which, and how many of one key at once."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.at_once = 0
        self._busy = 0
        self._retried = False

    async def __call__(self, delivery: Delivery) -> float | None:
        """Handle a message of the key; the first one of all waits for another attempt."""
        if delivery.message.key != b"key":
            await asyncio.sleep(0.2)
            return None
        if not self._retried and delivery.message.value == "fails":
            self._retried = True
            return 0.15
        self._busy += 1
        self.at_once = max(self.at_once, self._busy)
        self.begun.append(delivery.message.offset)
        await asyncio.sleep(0.05)
        self._busy -= 1
        return None


def add(lanes: Lanes, progress: Progress, offset: int, key: bytes, value: str = "") -> None:
    """Give the lanes a message."""
    message: Any = SimpleNamespace(partition=0, offset=offset, key=key, headers=(), value=value)
    progress.begin(offset)
    lanes.add(Delivery(message, progress))


@pytest.mark.parametrize("waits_for", ["a task", "another attempt"])
async def test_a_partition_that_comes_back_keeps_the_order_of_its_keys(waits_for: str) -> None:
    """What was handed back while it waited does not get in the way of what is fetched again."""
    handler, old, new = Handler(), Progress(), Progress()
    lanes = Lanes(handler, 4, 500, lambda *_: None)
    if waits_for == "a task":
        for offset in range(4):
            add(lanes, old, offset, b"busy %d" % offset)
        for offset in range(4, 10):
            add(lanes, old, offset, b"key")
    else:
        add(lanes, old, 4, b"key", "fails")
    await asyncio.sleep(0.01)
    old.is_revoked = True
    await lanes.hand_back([old], 5)
    for offset in range(4, 10):
        add(lanes, new, offset, b"key")
    await asyncio.sleep(0.8)
    await lanes.close()
    assert handler.at_once == 1
    assert handler.begun == [4, 5, 6, 7, 8, 9]
    assert new.position == 10
