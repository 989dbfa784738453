"""The measurements of bench_kafka.py; runs inside a rendered service.

It writes the figures of all rounds into the file that RESULTS names, and judges none of them.
"""

# ruff: noqa: ANN401, D103, PLR2004 - a script that prints what it measures

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import subprocess
import sys
import uuid
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from orders.domain.product.enums import ProductStatus
from orders.domain.product.events import ProductCreated
from orders.internal.database import DatabaseSessionManager
from orders.internal.database.migrate import alembic_config, upgrade
from orders.internal.kafka import ConsumerBase
from orders.internal.kafka.cloud_events import decode, encode, header_texts, traceparent
from orders.internal.kafka.connection import client_options
from orders.internal.kafka.consuming import attempt as attempts
from orders.internal.kafka.consuming.worker import Worker
from orders.internal.kafka.delivery import open_scope
from orders.internal.kafka.outbox import dispatcher as relayed
from orders.internal.kafka.outbox.publishing import OutboxProducer
from orders.internal.kafka.outbox.relay import Relay
from orders.internal.kafka.sender import BATCH_SIZE, Sender
from orders.internal.resources import Resources
from orders.main import create_app
from orders.settings import Settings

from development.kafka import mock_kafka

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

dispatcher: Any = relayed
QUICK = "--quick" in sys.argv
EVENTS = 1_000 if QUICK else 10_000
ROUNDS = 1 if QUICK else 9
FEWER = 10
"""How many times fewer messages are consumed with an inbox, since each is a transaction."""

INBOX = """
INSERT INTO internal.inbox (consumer, message_id) VALUES ('bare', $1) ON CONFLICT DO NOTHING
"""
TASKS = 200


def event(number: int) -> ProductCreated:
    return ProductCreated(
        product_id=uuid.UUID(int=number % 1000),
        product_version=1,
        status=ProductStatus.DRAFT,
        sku=f"SKU-{number}",
        name="Lamp",
        price=Decimal("12.50"),
    )


async def spread(work: Any, number: int) -> float:
    """Do something many times in a number of tasks; return how often a second."""
    numbers = iter(range(number))

    async def one() -> None:
        for value in numbers:
            await work(value)

    started = perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(TASKS):
            group.create_task(one())
    return number / (perf_counter() - started)


async def produce(settings: Settings) -> None:
    """Publish without an outbox, beside send and its acknowledgment on a bare producer."""
    bare = AIOKafkaProducer(
        **client_options(settings),
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        max_batch_size=BATCH_SIZE,
    )
    await bare.start()

    async with Sender(settings) as sender:

        async def publish(number: int) -> None:
            record = encode(event(number), source="s", namespace="", traceparent=traceparent())
            await sender.send(record._replace(topic=topic))

        async def send(number: int) -> None:
            sample = event(number)
            value = sample.model_dump_json().encode()
            key = sample.key.encode()
            headers = [
                ("ce_specversion", b"1.0"),
                ("ce_id", str(sample.id).encode()),
                ("ce_source", b"s"),
                ("ce_type", sample.type.encode()),
                ("ce_typeversion", b"1"),
                ("ce_time", sample.time.isoformat().encode()),
                ("ce_partitionkey", key),
                ("ce_traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
                ("content-type", b"application/json"),
            ]
            future = await bare.send(topic, value, key=key, headers=headers)
            await future

        topic = f"produce-{uuid.uuid4().hex}"
        await sender.soon_connected()
        our_rates: list[float] = []
        bare_rates: list[float] = []
        await spread(send, 500)
        await spread(publish, 500)
        for number in range(ROUNDS):
            contestants = [(send, bare_rates), (publish, our_rates)]
            for work, rates in contestants[number % 2 :] + contestants[: number % 2]:
                rates.append(await spread(work, EVENTS))
    await bare.stop()
    report("publishing without an outbox", our_rates, bare_rates, 0.8)


async def fill(settings: Settings, topic: str, number: int) -> None:
    async with Sender(settings) as sender:

        async def send(value: int) -> None:
            record = encode(event(value), source="s", namespace="", traceparent=traceparent())
            await sender.send(record._replace(topic=topic))

        await sender.soon_connected()
        await spread(send, number)


@contextlib.asynccontextmanager
async def no_scope(*_: object) -> AsyncIterator[object]:
    """What a handler gets in a service without a database: no inbox is asked."""
    yield object()


async def consume(settings: Settings, number: int) -> tuple[float, float, float]:
    """Consume with a handler that does nothing, beside getmany with commits as often.

    The third figure is that of getmany where each message is made an event as well.
    """
    topic = f"consume-{uuid.uuid4().hex}"
    await fill(settings, topic, number)
    bare_rates = await consume_bare(settings, topic, number)
    decoding = await consume_bare(settings, topic, number, decode_event)
    attempts.open_scope = no_scope  # type: ignore[attr-defined, assignment]
    return await consumed(Resources(settings), topic, number), bare_rates, decoding


async def consume_with_inbox(settings: Settings, number: int) -> tuple[float, float]:
    """Consume as a service with both features does: each message is a transaction with its id.

    Beside it, bare clients insert as many ids, one transaction each, with as many connections.
    """
    topic = f"inbox-{uuid.uuid4().hex}"
    await fill(settings, topic, number)
    size = settings.database_pool_size
    async with asyncpg.create_pool(settings.database_url, min_size=size, max_size=size) as pool:

        async def insert(message: Any) -> None:
            event_id = header_texts(message.headers)["ce_id"]
            await pool.execute(INBOX, f"{topic}#{event_id}")

        bare_rates = await consume_bare(settings, topic, number, insert_all=insert)
    database = DatabaseSessionManager.from_settings(settings)
    resources = Resources(settings, database, create_app(settings))
    attempts.open_scope = open_scope  # type: ignore[attr-defined]
    our_rates = await consumed(resources, topic, number)
    await database.close()
    return our_rates, bare_rates


async def consumed(resources: Resources, topic: str, number: int) -> float:
    """Consume a topic with a handler that does nothing; return how many messages a second."""
    done = asyncio.Event()
    times: list[float] = []

    class Nothing(ConsumerBase[ProductCreated]):
        name = uuid.uuid4().hex
        events = (ProductCreated,)

        async def handle(self, event: ProductCreated, scope: Any) -> None:  # noqa: ARG002
            times.append(perf_counter())
            if len(times) == number:
                done.set()

    Nothing.topic = topic
    app: Any = None
    async with Worker(resources, Nothing(app)):
        await done.wait()
    return number / (times[-1] - times[0])


def decode_event(message: Any) -> object:
    events = {ProductCreated.type: {ProductCreated.version: ProductCreated}}
    return decode(message.value, header_texts(message.headers), events)


async def consume_bare(
    settings: Settings,
    topic: str,
    number: int,
    use: Callable[[Any], object] | None = None,
    insert_all: Callable[[Any], Awaitable[None]] | None = None,
) -> float:
    client = AIOKafkaConsumer(
        topic,
        **client_options(settings),
        group_id=uuid.uuid4().hex,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await client.start()
    count, started, committed = 0, 0.0, perf_counter()
    while count < number:
        for batch in (await client.getmany(timeout_ms=500, max_records=500)).values():
            started = started or perf_counter()
            count += len(batch)
            if use:
                for message in batch:
                    use(message)
            if insert_all:
                await asyncio.gather(*map(insert_all, batch))
        if perf_counter() - committed > 0.5:
            await client.commit()
            committed = perf_counter()
    rate = number / (perf_counter() - started)
    await client.stop()
    return rate


async def relay(settings: Settings) -> None:
    """Send what is in the outbox: as fast as it goes, and at 200 events a second."""
    await upgrade(alembic_config(settings.database_url))
    database = DatabaseSessionManager.from_settings(settings)
    resources = Resources(settings)
    await publish_many(database, resources)
    rates, waits = [], []
    async with Sender(settings) as sender:
        await sender.soon_connected()
        for _ in range(ROUNDS):
            async with database.session() as session:
                await OutboxProducer(session, resources).publish_all(
                    event(value) for value in range(EVENTS)
                )
            started = perf_counter()
            async with Relay(settings, sender):
                await emptied(settings.database_url)
                rates.append(EVENTS / (perf_counter() - started))
                waits.append(await delays(settings, database, resources))
    await database.close()
    keep("relay of the outbox", rates, "events/s", at_least=2000)
    keep("commit to acknowledgment, median of a round", waits, "ms", at_most=50)


async def publish_many(database: DatabaseSessionManager, resources: Resources) -> None:
    """Save events in the outbox one by one and at once, in turns; none of them stays."""

    async def saved(number: int, *, at_once: bool) -> float:
        async with database.session() as session:
            producer = OutboxProducer(session, resources)
            events = [event(value) for value in range(number)]
            started = perf_counter()
            if at_once:
                await producer.publish_all(events)
            else:
                for one in events:
                    await producer.publish(one)
            rate = number / (perf_counter() - started)
            await session.rollback()
        return rate

    number = 1000 if QUICK else 5000
    one_by_one, at_once = [], []
    await saved(200, at_once=False)
    await saved(200, at_once=True)
    for _ in range(ROUNDS):
        one_by_one.append(await saved(number, at_once=False))
        at_once.append(await saved(number, at_once=True))
    report("publishing many at once", at_once, one_by_one, 10, "publishing one by one")


async def delays(
    settings: Settings, database: DatabaseSessionManager, resources: Resources
) -> float:
    """Publish 200 events a second; return the median from a commit to its acknowledgment, in ms."""
    committed: dict[str, float] = {}
    acknowledged: dict[str, float] = {}
    send = dispatcher.send

    async def noted(producer: Any, partition: int, rows: Sequence[Any], max_size: int) -> Any:
        outcome = await send(producer, partition, rows, max_size)
        for row in rows:
            acknowledged[json.loads(row["headers"])["ce_id"]] = perf_counter()
        return outcome

    dispatcher.send = noted

    async def publish(value: int) -> None:
        sample = event(value)
        async with database.session() as session:
            await OutboxProducer(session, resources).publish(sample)
        committed[str(sample.id)] = perf_counter()

    number = 100 if QUICK else 400
    started = perf_counter()
    async with asyncio.TaskGroup() as group:
        for value in range(number):
            await asyncio.sleep(max(0, started + value / 200 - perf_counter()))
            group.create_task(publish(value))
    await emptied(settings.database_url)
    dispatcher.send = send
    return median(acknowledged[one] - committed[one] for one in committed) * 1000


async def emptied(url: str) -> None:
    connection = await asyncpg.connect(url)
    query = "SELECT EXISTS (SELECT FROM internal.outbox)"
    while await connection.fetchval(query):  # noqa: ASYNC110 - of the server
        await asyncio.sleep(0.01)
    await connection.close()


def memory() -> float:
    """Return this process's resident memory in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def report(
    name: str,
    our_rates: list[float],
    bare_rates: list[float],
    least: float | None = None,
    against: str = "a bare aiokafka client",
) -> None:
    """Keep the ratio of each round, and the figures that it is made of."""
    ratios = [one / other for one, other in zip(our_rates, bare_rates, strict=True)]
    keep(name, ratios, "times", against, at_least=least)
    keep(name, our_rates, "events/s")
    keep(f"{name}: {against}", bare_rates, "events/s")


def keep(  # noqa: PLR0913 - the columns of the table
    name: str,
    figures: list[float],
    unit: str,
    against: str = "",
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> None:
    """Keep a result, as benchmarks/measure.py reads it."""
    result = {
        "name": name,
        "figures": figures,
        "unit": unit,
        "against": against,
        "at_least": at_least,
        "at_most": at_most,
    }
    with Path(os.environ["RESULTS"]).open("a") as results:
        results.write(json.dumps(result) + "\n")


async def measure(settings: Settings) -> None:
    await relay(settings)
    await produce(settings)
    rounds = [await consume(settings, EVENTS) for _ in range(ROUNDS)]
    our_rates, bare_rates, decoding = (list(values) for values in zip(*rounds, strict=True))
    report("consuming, handler that does nothing", our_rates, bare_rates, 0.5)
    report("getmany that decodes, no consumer", decoding, bare_rates, 0.5)
    pairs = [await consume_with_inbox(settings, EVENTS // FEWER) for _ in range(ROUNDS)]
    our_rates, bare_rates = (list(values) for values in zip(*pairs, strict=True))
    report("consuming with an inbox", our_rates, bare_rates, None, "bare aiokafka and asyncpg")
    await measure_memory(settings)


async def measure_memory(settings: Settings) -> None:
    """Compare the memory after many messages with that after the first ones."""
    total, before = 0, 0.0
    while total < (2 * EVENTS if QUICK else 100_000):
        await consume(settings, EVENTS)
        total += EVENTS
        before = before or memory()
    against = f"the memory after {EVENTS} messages"
    keep(f"memory after {total} messages", [memory() / before], "times", against, at_most=1.1)


def main() -> None:
    with contextlib.ExitStack() as stack:
        servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or stack.enter_context(mock_kafka())
        command = [sys.executable, "-u", "-m", "development.postgres"]
        server = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stack.callback(server.terminate)
        url = next(word for line in server.stdout or () for word in line.split() if "://" in word)
        settings = Settings(
            _env_file=None, kafka_bootstrap_servers=servers, database_url=url, log_level="error"
        )
        uvloop.run(measure(settings))


if __name__ == "__main__":
    main()
