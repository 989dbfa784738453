"""Messages of a key are handled one after another, and no key blocks the others for long."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from orders.internal.kafka import background
from orders.internal.kafka.background import (
    HandlerStuckError,
    HandlerTimeoutError,
    run_isolated,
)
from orders.internal.kafka.consuming import key_queues
from orders.internal.kafka.consuming.key_queues import Delivery, KeyQueues
from orders.internal.kafka.consuming.progress import Progress

from tests.harness.kafka.messages import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CAPACITY = 20


class Handler:
    """Handles messages, and records which, and how many of a key at once."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.most_at_once = 0
        self._running = 0
        self._retried = False

    async def __call__(self, delivery: Delivery) -> float | None:
        """Handle a message of the key. The very first message waits for another attempt."""
        if delivery.message.key != b"key":
            await asyncio.sleep(0.2)
            return None
        if not self._retried and delivery.message.value == b"fails":
            self._retried = True
            return 0.15
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        self.started.append(delivery.message.offset)
        await asyncio.sleep(0.05)
        self._running -= 1
        return None


class Topic:
    """A partition that can be read again, and the queues that receive its messages."""

    def __init__(self, handle: Callable[[Delivery], Awaitable[float | None]]) -> None:
        self.log: dict[int, bytes] = {}
        self.progress = Progress()
        self.requested: list[int] = []
        self.queues = KeyQueues(
            handle, 4, CAPACITY, lambda _, offset: self.requested.append(offset)
        )

    def send(self, key: bytes, number: int = 1) -> None:
        """Append messages, and give the queues as many as they have room for."""
        for offset in range(len(self.log), len(self.log) + number):
            self.log[offset] = key
            if not self.queues.full:
                self._give(offset)

    def read_on(self) -> None:
        """Read the requested messages again, then those not read yet."""
        start = min(self.requested, default=self.progress.next or 0)
        self.requested.clear()
        for offset in sorted(offset for offset in self.log if offset >= start):
            if self.progress.has_seen(offset) or not self.queues.full:
                self._give(offset)

    def _give(self, offset: int) -> None:
        message = SimpleNamespace(partition=0, offset=offset, key=self.log[offset], value=b"")
        delivery = Delivery(message, self.progress)
        if self.progress.has_seen(offset):
            self.queues.add_again(delivery)
        else:
            self.progress.begin(offset)
            self.queues.add(delivery)


def add(queues: KeyQueues, progress: Progress, offset: int, key: bytes, value: bytes = b"") -> None:
    """Give the queues a message."""
    message: Any = SimpleNamespace(partition=0, offset=offset, key=key, headers=(), value=value)
    progress.begin(offset)
    queues.add(Delivery(message, progress))


def no_parking(*_: object) -> None:
    """Fail, because no message of such a test is read again."""
    raise AssertionError


@pytest.mark.parametrize("waits_for", ["a task", "another attempt"])
async def test_a_returning_partition_keeps_the_order_of_its_keys(waits_for: str) -> None:
    """Messages waiting when the partition was revoked do not mix with those fetched again."""
    handler, old, new = Handler(), Progress(), Progress()
    queues = KeyQueues(handler, 4, 500, no_parking)
    if waits_for == "a task":
        for offset in range(4):
            add(queues, old, offset, b"busy %d" % offset)
        for offset in range(4, 10):
            add(queues, old, offset, b"key")
    else:
        add(queues, old, 4, b"key", b"fails")
    await asyncio.sleep(0.01)
    old.is_revoked = True
    await queues.hand_back([old], 5)
    for offset in range(4, 10):
        add(queues, new, offset, b"key")

    async def position() -> int:
        return new.position or 0

    await eventually(position, 10)
    await queues.close()
    assert handler.most_at_once == 1
    assert handler.started == [4, 5, 6, 7, 8, 9]


async def test_a_failing_key_leaves_room_for_others_and_keeps_its_order() -> None:
    """Messages behind the failing one stay on the topic, and are read again later."""
    heals = asyncio.Event()
    handled: list[int] = []

    async def handle(delivery: Delivery) -> float | None:
        if delivery.message.key == b"bad" and not heals.is_set():
            return 0.01
        handled.append(delivery.message.offset)
        return None

    topic = Topic(handle)
    topic.send(b"bad", 5 * CAPACITY)
    while len(topic.queues._queues[(0, b"bad")].parked) < 4 * CAPACITY:  # noqa: SLF001 - how far it came
        assert not await topic.queues.wait_for_room(0.01) or not topic.queues.full
        topic.queues.park()
        topic.read_on()
    topic.send(b"good", 3)

    async def good() -> list[int]:
        return handled

    await eventually(good, [5 * CAPACITY + number for number in range(3)])
    assert topic.progress.position == 0
    heals.set()

    async def position() -> int:
        topic.read_on()
        return topic.progress.position or 0

    await eventually(position, 5 * CAPACITY + 3)
    assert handled[3:] == list(range(5 * CAPACITY))
    assert topic.queues.size == 0


async def test_messages_deleted_by_brokers_do_not_block_their_key() -> None:
    """If brokers delete messages that wait on the topic, the key continues with the rest."""
    heals = asyncio.Event()

    async def handle(_: Delivery) -> float | None:
        return None if heals.is_set() else 0.01

    topic = Topic(handle)
    topic.send(b"bad", CAPACITY)
    topic.queues.park()
    heals.set()

    async def requested() -> bool:
        return bool(topic.requested)

    await eventually(requested, expected=True)
    start, first_left = topic.requested[0], CAPACITY - 2
    topic.log = {offset: key for offset, key in topic.log.items() if offset >= first_left}
    topic.queues.forget(topic.progress, start, first_left)

    async def position() -> int:
        topic.read_on()
        return topic.progress.position or 0

    await eventually(position, CAPACITY)


async def test_waiting_messages_are_limited_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large messages are fetched fewer at a time."""
    monkeypatch.setattr(key_queues, "ROOM", 1_000_000)
    progress, queues = Progress(), KeyQueues(Handler(), 1, 500, no_parking)
    offset = 0
    while not queues.full:
        add(queues, progress, offset, b"%d" % offset, b"x" * 100_000)
        offset += 1
    assert offset <= 10
    assert queues.room == 1
    await queues.close()
    assert queues.size == 0
    assert queues.room <= 10


async def test_revoking_a_partition_makes_room_at_once() -> None:
    """A consumer that waits for room goes on when the messages in its way are revoked."""

    async def handle(_: Delivery) -> float | None:
        return 60

    topic = Topic(handle)
    topic.send(b"a", CAPACITY)
    waiting = asyncio.create_task(topic.queues.wait_for_room(600))
    await asyncio.sleep(0)
    topic.progress.is_revoked = True
    await topic.queues.hand_back([topic.progress], 5)
    async with asyncio.timeout(60):
        assert await waiting


async def test_an_attempt_that_fails_unexpectedly_is_retried(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Even a bug in the consumer loses no message and does not stop its key."""
    monkeypatch.setattr(key_queues, "ESCAPED_DELAY", 0.01)
    errors: list[BaseException] = [ZeroDivisionError(), asyncio.CancelledError()]

    async def handle(_: Delivery) -> float | None:
        if errors:
            raise errors.pop()
        return None

    topic = Topic(handle)
    topic.send(b"a", 2)

    async def position() -> int:
        return topic.progress.position or 0

    await eventually(position, 2)
    assert not [message for message in caplog.messages if "never retrieved" in message]


async def cancelled_by_others() -> None:
    """Wait for a future that is already cancelled."""
    shared: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    shared.cancel()
    await shared


async def cancels_itself() -> None:
    """Cancel the current task."""
    task = asyncio.current_task()
    assert task
    task.cancel()
    await asyncio.sleep(1)


async def exits() -> None:
    """End the process, as a command-line parser does."""
    raise SystemExit(2)


async def fails() -> None:
    """Fail."""
    raise ZeroDivisionError


async def hangs() -> None:
    """Wait for ever."""
    await asyncio.Event().wait()


async def ignores_its_cancellation() -> None:
    """Ignore cancellations for as long as such a test lasts."""
    deadline = asyncio.get_running_loop().time() + 1
    while asyncio.get_running_loop().time() < deadline:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (cancelled_by_others, asyncio.CancelledError),
        (cancels_itself, asyncio.CancelledError),
        (exits, SystemExit),
        (fails, ZeroDivisionError),
        (hangs, HandlerTimeoutError),
        (ignores_its_cancellation, HandlerStuckError),
    ],
)
async def test_a_handlers_errors_do_not_stop_its_consumer(
    handler: Any,  # noqa: ANN401 - a coroutine function
    error: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is an error of this attempt, and takes a limited time."""
    monkeypatch.setattr(background, "GRACE", 0.1)
    timeout = 0.05 if handler in (hangs, ignores_its_cancellation) else 60
    assert isinstance(await run_isolated(handler(), timeout), error)


async def test_cancelling_an_attempt_ends_its_handler() -> None:
    """A message that is given back is not handled while its next owner has it."""
    ended = asyncio.Event()

    async def handler() -> None:
        try:
            await hangs()
        finally:
            ended.set()

    attempt = asyncio.create_task(run_isolated(handler(), 60))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert ended.is_set()
