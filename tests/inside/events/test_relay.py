"""A problem with one topic, partition or row does not block others."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from aiokafka.errors import TopicAuthorizationFailedError, UnknownTopicOrPartitionError
from aiokafka.partitioner import DefaultPartitioner

from orders.internal.kafka.outbox import dispatcher
from orders.internal.kafka.outbox.relay import Relay
from orders.settings import Settings

from tests.harness.kafka.messages import eventually

FILL = """
INSERT INTO internal.outbox (topic, key, value, headers)
SELECT $1, convert_to($2 || (i % $4), 'UTF8'), convert_to(i::text, 'UTF8'), '{}'
FROM generate_series(1, $3) i
"""


class Producer:
    """Topics of two partitions. Those called `stuck`, `denied` and `missing` have a problem."""

    def __init__(self) -> None:
        self.sent: dict[tuple[str, int], list[tuple[bytes, bytes]]] = {}
        self.stuck: set[tuple[str, int]] = set()
        self.denied: set[str] = set()
        self.missing: set[str] = set()
        self.waiting: list[Callable[[], None]] = []

    async def partitions_for(self, topic: str) -> set[int]:
        """Return the topic's partitions."""
        if topic in self.missing:
            raise UnknownTopicOrPartitionError
        if topic in self.denied:
            raise TopicAuthorizationFailedError(topic)
        return {0, 1}

    def create_batch(self) -> "Batch":
        """Return an empty batch."""
        return Batch()

    async def send_batch(
        self, batch: "Batch", topic: str, *, partition: int
    ) -> "asyncio.Future[None]":
        """Send a batch, or keep it while its partition is stuck."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def acknowledge() -> None:
            self.sent.setdefault((topic, partition), []).extend(batch.messages)
            future.set_result(None)

        if (topic, partition) in self.stuck:
            self.waiting.append(acknowledge)
        else:
            acknowledge()
        return future

    def heal(self) -> None:
        """Acknowledge stuck batches."""
        self.stuck.clear()
        for acknowledge in self.waiting:
            acknowledge()

    async def values(self, topic: str) -> int:
        """Return the number of messages on a topic."""
        return sum(len(sent) for (name, _), sent in self.sent.items() if name == topic)


class Batch:
    """Messages that are sent together."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, bytes]] = []

    def append(self, *, key: bytes, value: bytes, **_: object) -> bool:
        """Add a message."""
        self.messages.append((key, value))
        return True

    def close(self) -> None:
        """Accept no more messages."""


class Sender:
    """A connection to available brokers."""

    def __init__(self, producer: Producer) -> None:
        self.producer = producer

    async def soon_connected(self) -> Producer:
        """Return the producer."""
        return self.producer

    async def check(self) -> str:
        """Answer."""
        return "answers"

    def replace(self, _: object) -> None:
        """Keep the producer."""


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> Producer:
    """Brokers for a relay that does not wait long for a slow partition."""
    monkeypatch.setattr(dispatcher, "BATCH_TIMEOUT", 0.05)
    return Producer()


@pytest.fixture
def relay(producer: Producer, settings: Settings) -> Relay:
    """A relay that sends to these brokers."""
    sender: Any = Sender(producer)
    return Relay(settings, sender)


@pytest.fixture
async def fill(migrated_postgres: str) -> Callable[..., Awaitable[None]]:
    """A function that saves events of one topic, with one key or several."""

    async def save(topic: str, key: str, number: int, keys: int = 1) -> None:
        connection = await asyncpg.connect(migrated_postgres)
        await connection.execute(FILL, topic, key, number, keys)
        await connection.close()

    return save


async def unsent(url: str) -> int:
    """Return the number of events that wait or are set aside."""
    connection = await asyncpg.connect(url)
    number: int = await connection.fetchval("SELECT count(*) FROM internal.outbox")
    await connection.close()
    return number


def keys() -> tuple[str, str]:
    """Return keys of both partitions, among those that `fill` makes of one name."""
    partition = DefaultPartitioner()
    by_partition = {partition(f"{name}0".encode(), [0, 1], [0, 1]): name for name in "abcdefgh"}
    return by_partition[0], by_partition[1]


Fill = Callable[..., Awaitable[None]]


async def test_a_stuck_partition_does_not_block_others(
    relay: Relay, producer: Producer, fill: Fill, migrated_postgres: str
) -> None:
    """Thousands of its events are skipped. Once it works, each is sent once, in order."""
    stuck_key, free_key = keys()
    producer.stuck.add(("t", 0))
    await fill("t", stuck_key, 3000)
    await fill("t", free_key, 5)
    await fill("other", free_key, 5)
    async with relay:

        async def sent() -> tuple[int, int]:
            return await producer.values("t"), await producer.values("other")

        await eventually(sent, (5, 5))
        await fill("t", free_key, 5)
        await eventually(sent, (10, 5))
        producer.heal()
        await eventually(sent, (3010, 5))
        await eventually(lambda: unsent(migrated_postgres), 0)
    assert [value for _, value in producer.sent["t", 0]] == [
        b"%d" % number for number in range(1, 3001)
    ]


async def test_events_wait_for_permission_to_write_to_their_topic(
    relay: Relay, producer: Producer, fill: Fill, migrated_postgres: str
) -> None:
    """The log reports the missing permission, other topics are sent, and the events later."""
    producer.denied.add("denied")
    await fill("denied", "a", 1500)
    await fill("t", "a", 5)
    async with relay:

        async def sent() -> tuple[int, int]:
            return await producer.values("denied"), await producer.values("t")

        await eventually(sent, (0, 5))
        assert "not authorized" in relay.failures
        assert "no topic" not in relay.failures
        connection = await asyncpg.connect(migrated_postgres)
        query = "SELECT count(*) FROM internal.outbox WHERE error IS NOT NULL"
        assert await connection.fetchval(query) == 0
        await connection.close()
        producer.denied.clear()
        await eventually(sent, (1500, 5))
        assert relay.failures == ""


async def test_events_wait_until_their_topic_exists(
    relay: Relay, producer: Producer, fill: Fill, migrated_postgres: str
) -> None:
    """They are not set aside, and are sent in order once the topic exists."""
    producer.missing.add("late")
    await fill("late", "a", 600)
    await fill("t", "a", 1)
    async with relay:

        async def sent() -> tuple[int, int]:
            return await producer.values("late"), await producer.values("t")

        await eventually(sent, (0, 1))
        assert "no topic late" in relay.failures
        producer.missing.clear()
        await eventually(sent, (600, 1))
        await eventually(lambda: unsent(migrated_postgres), 0)


async def test_an_invalid_topic_name_is_set_aside(
    relay: Relay, producer: Producer, fill: Fill, migrated_postgres: str
) -> None:
    """No broker ever accepts it, so the events would wait for ever."""
    await fill("no topic", "a", 2)
    await fill("t", "a", 1)
    async with relay:
        await eventually(lambda: unsent(migrated_postgres), 2)
        assert await producer.values("t") == 1

        async def errors() -> set[str]:
            connection = await asyncpg.connect(migrated_postgres)
            rows = await connection.fetch("SELECT error FROM internal.outbox")
            await connection.close()
            return {str(row["error"]) for row in rows}

        await eventually(errors, {"its topic's name is not valid"})


async def test_pruning_does_not_delay_sending(
    relay: Relay, producer: Producer, migrated_postgres: str
) -> None:
    """An event is sent while many old rows of the inbox are deleted."""
    connection = await asyncpg.connect(migrated_postgres)
    await connection.execute(
        "INSERT INTO internal.inbox SELECT 'c', i::text, now() - interval '99 days' "
        "FROM generate_series(1, 100000) i"
    )
    rows = "SELECT count(*) FROM internal.inbox"
    async with relay:
        while await connection.fetchval(rows) == 100_000:
            pass
        await connection.execute(FILL, "t", "a", 1, 1)
        while not await producer.values("t"):  # noqa: ASYNC110 - of the producer above
            await asyncio.sleep(0)
        assert await connection.fetchval(rows) > 0
        await eventually(lambda: connection.fetchval(rows), 0)
    await connection.close()


async def test_stopping_waits_for_batches_in_flight(
    relay: Relay,
    producer: Producer,
    fill: Fill,
    migrated_postgres: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Events that brokers acknowledge during the stop are not sent again."""
    stuck_key, _ = keys()
    producer.stuck.add(("t", 0))
    await fill("t", stuck_key, 1)
    monkeypatch.setattr(dispatcher, "BATCH_TIMEOUT", 20.0)
    async with relay:
        while not producer.waiting:  # noqa: ASYNC110 - of the producer above
            await asyncio.sleep(0.001)
        asyncio.get_running_loop().call_later(0.2, producer.heal)
    assert await unsent(migrated_postgres) == 0
