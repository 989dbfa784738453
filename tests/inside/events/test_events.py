"""The event layer's guarantees when handlers, messages and brokers fail."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import asyncpg
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from orders.internal.database import DatabaseSessionManager, DatabaseUnavailable
from orders.internal.http.openapi import Application
from orders.internal.kafka import (
    ConsumerBase,
    Consumers,
    EventBase,
    MessageScope,
    producer_for,
)
from orders.internal.kafka.consuming import worker as consuming
from orders.internal.kafka.consuming.worker import Worker, Workers
from orders.internal.kafka.sender import Sender
from orders.internal.kafka.tools import replay
from orders.main import create_app
from orders.settings import Settings

from tests.harness.kafka.messages import Messages, eventually
from tests.harness.lifespan import running

ID = "0190b1c4-7b3a-7000-8000-000000000001"
TIME = "2026-11-28T12:00:00+00:00"


class Happened(EventBase):
    """An event of these tests."""

    topic: ClassVar[str] = "inside"
    type: ClassVar[str] = "inside.happened"

    about: str
    number: int

    @property
    def key(self) -> str:
        """The event's subject."""
        return self.about


class Unlucky(Happened):
    """An event that fails the transaction in which it is published."""

    about: str = "a"
    number: int = 0

    @property
    def key(self) -> str:
        """Fail."""
        raise ZeroDivisionError


class Recorder(ConsumerBase[Happened]):
    """Records events, and fails as the test says."""

    topic = "inside"
    name = "recorder"
    events = (Happened,)
    luckless: ClassVar[Callable[[int], bool]] = staticmethod(lambda _: False)
    handled: ClassVar[list[tuple[str, int]]] = []
    slow: ClassVar[float] = 0

    async def handle(self, event: Happened, scope: MessageScope) -> None:  # noqa: ARG002
        """Record the event, or fail."""
        await asyncio.sleep(self.slow)
        if type(self).luckless(event.number):
            raise ValueError(f"no luck with {event.number}")
        self.handled.append((event.about, event.number))


@pytest.fixture
def recorder(settings: Settings) -> type[Recorder]:
    """A consumer for this test alone."""

    class Own(Recorder):
        handled: ClassVar[list[tuple[str, int]]] = []

    return Own


@asynccontextmanager
async def started(settings: Settings, *consumers: type[Any]) -> AsyncIterator[Application]:
    """Run the application with these consumers."""
    app = create_app(settings)
    app.resources.replace(Consumers, Consumers(consumers))
    async with running(app):
        yield app


async def publish(app: Application, *events: EventBase) -> None:
    """Publish events in one transaction."""
    async with app.resources.get(DatabaseSessionManager).session() as session:
        for event in events:
            await producer_for(app.resources, session).publish(event)


async def test_a_failing_event_is_retried_and_blocks_only_its_key(
    settings: Settings, recorder: type[Recorder]
) -> None:
    """Events of a key wait for the one before them. Others do not."""
    attempts: list[int] = []

    def luckless(number: int) -> bool:
        attempts.append(number)
        return number == 1 and attempts.count(1) < 3

    recorder.luckless = luckless
    async with started(settings, recorder) as app:
        first, second = Happened(about="a", number=1), Happened(about="a", number=2)
        await publish(app, first, second, Happened(about="b", number=3))

        async def number() -> int:
            return len(recorder.handled)

        await eventually(number, 3)
    assert [handled for handled in recorder.handled if handled[0] == "a"] == [("a", 1), ("a", 2)]
    assert attempts.count(1) == 3


async def test_a_dead_letter_is_replayed_after_a_fix(
    settings: Settings, recorder: type[Recorder], messages: Messages
) -> None:
    """An event that fails too often is set aside, and handled after it is replayed."""
    recorder.luckless = lambda number: number == 1
    async with started(settings, recorder) as app:
        await publish(app, Happened(about="a", number=1), Happened(about="a", number=2))
        (letter,) = await messages.read("inside.dead-letters", 1)
        headers = {name: value.decode() for name, value in letter.headers}
        assert headers["dead_letter_error"] == "ValueError: no luck with 1"
        assert headers["dead_letter_attempts"] == str(settings.kafka_consumer_attempts)
        recorder.luckless = lambda _: False
        options: dict[str, Any] = {"since": None, "key": None}
        dry = [line async for line in replay(settings, "inside", dry_run=True, **options)]
        assert dry[-1].startswith("1 dead letters would be sent")
        lines = [line async for line in replay(settings, "inside", dry_run=False, **options)]
        assert lines[-1].startswith("1 dead letters sent")

        async def handled() -> list[tuple[str, int]]:
            return recorder.handled

        await eventually(handled, [("a", 2), ("a", 1)])
        second_replay = [
            line async for line in replay(settings, "inside", dry_run=False, **options)
        ]
        assert second_replay[-1].startswith("0 dead letters")


async def test_an_event_that_cannot_be_sent_is_set_aside(
    settings: Settings, recorder: type[Recorder], migrated_postgres: str
) -> None:
    """An event that is too large is set aside with its reason and does not block the next one."""
    async with started(settings, recorder) as app:
        large = Happened(about="a" * (settings.kafka_max_event_size + 1), number=1)
        await publish(app, large, Happened(about="b", number=2))

        async def handled() -> list[tuple[str, int]]:
            return recorder.handled

        await eventually(handled, [("b", 2)])
        connection = await asyncpg.connect(migrated_postgres)

        async def set_aside() -> int:
            query = "SELECT count(*) FROM internal.outbox WHERE error LIKE '%bytes%'"
            return int(await connection.fetchval(query))

        await eventually(set_aside, 1)
        await connection.close()


async def test_writes_work_without_a_broker(
    settings_values: dict[str, object], recorder: type[Recorder], migrated_postgres: str
) -> None:
    """The service starts, publishes and stops although no broker listens."""
    values = {**settings_values, "kafka_bootstrap_servers": "127.0.0.1:1"}
    unreachable = Settings(**{"_env_file": None, **values})  # type: ignore[arg-type]
    async with asyncio.timeout(60):
        async with started(unreachable, recorder) as app:
            await publish(app, Happened(about="a", number=1))
    connection = await asyncpg.connect(migrated_postgres)
    assert await connection.fetchval("SELECT count(*) FROM internal.outbox") == 1
    await connection.close()


async def test_a_rolled_back_transaction_sends_nothing(
    settings: Settings, recorder: type[Recorder]
) -> None:
    """No event of the transaction reaches the topic."""
    async with started(settings, recorder) as app:
        with pytest.raises(ZeroDivisionError):
            await publish(app, Happened(about="a", number=1), Unlucky())
        await publish(app, Happened(about="a", number=2))

        async def handled() -> list[tuple[str, int]]:
            return recorder.handled

        await eventually(handled, [("a", 2)])


async def test_stopping_finishes_running_handlers(
    settings: Settings, recorder: type[Recorder]
) -> None:
    """A handler that runs when the service stops finishes, and does not run again."""
    recorder.slow = 0.3
    async with started(settings, recorder) as app:
        await publish(app, Happened(about="a", number=1))

        async def in_flight() -> int:
            return int(app.resources.get(Workers)[0].state()["in_flight"])

        await eventually(in_flight, 1)
    assert recorder.handled == [("a", 1)]
    async with started(settings, recorder) as app:
        await publish(app, Happened(about="a", number=2))

        async def handled() -> list[tuple[str, int]]:
            return recorder.handled

        await eventually(handled, [("a", 1), ("a", 2)])


async def test_a_dead_letter_keeps_a_value_over_the_limit(
    settings: Settings, recorder: type[Recorder], messages: Messages
) -> None:
    """The limit is for the service's own events. A message from a broker can be sent back."""
    recorder.luckless = lambda _: True
    single_attempt = settings.model_copy(update={"kafka_consumer_attempts": 1})
    async with started(single_attempt, recorder) as app:
        body = b'{"about":"%s","number":1}' % (b"a" * settings.kafka_max_event_size)
        await messages.send("inside", body, b"a", ce_type="inside.happened", ce_id=ID, ce_time=TIME)
        (letter,) = await messages.read("inside.dead-letters", 1)
        assert letter.value == body
        producer = app.resources.get(Sender).connected()
        options: dict[str, Any] = {"since": None, "key": None}
        lines = [line async for line in replay(settings, "inside", dry_run=False, **options)]
        assert lines[-1].startswith("1 dead letters sent")
        _, replayed = await messages.read("inside", 2)
        assert replayed.value == body
        assert app.resources.get(Sender).connected() is producer


async def test_an_outage_uses_up_no_attempts(
    settings: Settings, recorder: type[Recorder], messages: Messages
) -> None:
    """Only the event's own failures count as attempts, not outages of the database."""
    calls: list[int] = []
    outage = settings.kafka_consumer_attempts + 1

    def luckless(number: int) -> bool:
        if number == 1:
            calls.append(number)
            if len(calls) <= outage:
                raise DatabaseUnavailable("away")
        return number == 1 and len(calls) < outage + settings.kafka_consumer_attempts

    recorder.luckless = luckless
    async with started(settings, recorder) as app:
        await publish(app, Happened(about="a", number=1))

        async def handled() -> list[tuple[str, int]]:
            return recorder.handled

        await eventually(handled, [("a", 1)])
        recorder.luckless = lambda number: number == 2
        await publish(app, Happened(about="a", number=2))
        (letter,) = await messages.read("inside.dead-letters", 1)
    attempts = dict(letter.headers)["dead_letter_attempts"].decode()
    assert attempts == str(settings.kafka_consumer_attempts)
    assert len(calls) == outage + settings.kafka_consumer_attempts


async def test_a_tombstone_stays_a_tombstone_as_a_dead_letter(
    settings: Settings, recorder: type[Recorder], messages: Messages
) -> None:
    """A message without a value deletes its key. The dead letter has no value either."""
    async with started(settings, recorder):
        headers = {"ce_type": "inside.happened", "ce_id": "1"}
        nothing: Any = None
        await messages.send("inside", nothing, b"a", **headers)
        (letter,) = await messages.read("inside.dead-letters", 1)
        assert letter.value is None
        options: dict[str, Any] = {"since": None, "key": None}
        lines = [line async for line in replay(settings, "inside", dry_run=False, **options)]
        assert lines[-1].startswith("1 dead letters sent")
        first, replayed = await messages.read("inside", 2)
        assert (first.value, replayed.value) == (None, None)


async def test_slow_handlers_keep_their_place_in_the_group(
    settings: Settings,
    recorder: type[Recorder],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A handler may take longer than the maximum poll interval without losing its place."""
    monkeypatch.setattr(consuming, "MAX_POLL_INTERVAL", 1)
    monkeypatch.setattr(consuming, "CAPACITY_FACTOR", 1)
    started_numbers: list[int] = []

    def luckless(number: int) -> bool:
        started_numbers.append(number)
        return False

    recorder.luckless, recorder.slow = luckless, 2.5
    one_by_one = settings.model_copy(update={"kafka_consumer_concurrency": 1})
    async with started(one_by_one, recorder) as app:
        await publish(app, *(Happened(about=str(number), number=number) for number in range(3)))

        async def handled() -> list[int]:
            return sorted(number for _, number in recorder.handled)

        await eventually(handled, [0, 1, 2])
    assert sorted(started_numbers) == [0, 1, 2]
    assert not [message for message in caplog.messages if "max_poll_interval" in message]


async def test_a_failing_key_blocks_no_other_and_keeps_its_order(
    settings: Settings, recorder: type[Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile, more events of the key than there is room for wait on the topic."""
    monkeypatch.setattr(consuming, "ROOM_TIMEOUT", 0.1)
    fails = True

    def luckless(number: int) -> bool:
        if fails and number < 200:
            raise DatabaseUnavailable("away")
        return False

    recorder.luckless = luckless
    sequential = settings.model_copy(update={"kafka_consumer_concurrency": 1})
    async with started(sequential, recorder) as app:
        await publish(app, *(Happened(about="bad", number=number) for number in range(200)))
        await publish(app, *(Happened(about="good", number=number) for number in range(200, 203)))

        async def handled() -> list[tuple[str, int]]:
            return recorder.handled

        good = [("good", number) for number in range(200, 203)]
        await eventually(handled, good)
        fails = False
        await eventually(handled, good + [("bad", number) for number in range(200)])

        async def lag() -> int:
            return int(app.resources.get(Workers)[0].state()["lag"])

        await eventually(lag, 0)


async def test_a_cancelled_handler_is_retried(settings: Settings, recorder: type[Recorder]) -> None:
    """If other code cancels a handler, its event stays in order, and the consumer goes on."""
    attempts: list[int] = []

    def luckless(number: int) -> bool:
        attempts.append(number)
        if attempts.count(1) == 1:
            raise asyncio.CancelledError
        if number == 2 and attempts.count(2) == 1:
            raise SystemExit(1)
        return False

    recorder.luckless = luckless
    async with started(settings, recorder) as app:
        await publish(app, *(Happened(about="a", number=number) for number in (1, 2, 3)))

        async def handled() -> list[tuple[str, int]]:
            return recorder.handled

        await eventually(handled, [("a", 1), ("a", 2), ("a", 3)])


class Sleeper(ConsumerBase[Happened]):
    """Takes longer than a statement or an attempt may take."""

    topic = "inside"
    name = "sleeper"
    events = (Happened,)

    async def handle(self, event: Happened, scope: MessageScope) -> None:
        """Sleep in the database for an odd number, and in the service for an even one."""
        if event.number % 2:
            await scope.session.execute(text("SELECT pg_sleep(60)"))
        else:
            await asyncio.sleep(60)


async def test_an_event_that_always_times_out_becomes_a_dead_letter(
    settings: Settings, messages: Messages
) -> None:
    """A statement or an attempt that exceeds its limit is the event's failure, not an outage."""
    limits = {"kafka_consumer_attempts": 1, "kafka_consumer_timeout": 1.5}
    short = settings.model_copy(update={**limits, "database_statement_timeout": 0.5})
    # Without `capture_logs`, structlog prints every local variable of the traceback. That takes
    # seconds of CPU, in which the consumer loses its place in the group.
    with capture_logs():
        async with started(short, Sleeper) as app:
            await publish(app, Happened(about="a", number=1), Happened(about="b", number=2))
            letters = await messages.read("inside.dead-letters", 2)
    headers = {letter.key: dict(letter.headers) for letter in letters}
    assert headers[b"a"]["dead_letter_error"].startswith(b"StatementTimeout")
    assert headers[b"b"]["dead_letter_error"].startswith(b"HandlerTimeoutError")
    assert {letter_headers["dead_letter_attempts"] for letter_headers in headers.values()} == {b"1"}


async def test_all_consumers_stop_at_once(settings: Settings) -> None:
    """Each finishes its message with all resources open, and none starts another."""
    handled: list[str] = []
    workers: list[Worker] = []

    class Together(Recorder):
        async def handle(self, event: Happened, scope: MessageScope) -> None:  # noqa: ARG002
            async def stopping() -> list[bool]:
                return [worker.is_stopping for worker in workers]

            await eventually(stopping, [True, True, True])
            assert scope.resources.get(Sender).connected()
            handled.append(self.name)

    names = ("one", "two", "three")
    consumers = [type(name, (Together,), {"name": name}) for name in names]
    sequential = settings.model_copy(update={"kafka_consumer_concurrency": 1})
    async with started(sequential, *consumers) as app:
        workers += app.resources.get(Workers)
        await publish(app, *(Happened(about=str(number), number=number) for number in range(9)))

        async def in_flight() -> list[int]:
            return [worker.state()["in_flight"] for worker in workers]

        await eventually(in_flight, [1, 1, 1])
    assert sorted(handled) == sorted(names)
