"""The measurements of bench_kafka.py; runs inside a rendered service."""

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
from orders.internal.kafka.outbox import dispatcher as relayed
from orders.internal.kafka.outbox.publishing import OutboxProducer
from orders.internal.kafka.outbox.relay import Relay
from orders.internal.kafka.sender import BATCH_SIZE, Sender
from orders.internal.resources import Resources
from orders.settings import Settings

from development.kafka import mock_kafka

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

dispatcher: Any = relayed
QUICK = "--quick" in sys.argv
EVENTS = 5_000 if QUICK else 10_000
ROUNDS = 7
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
    producer = AIOKafkaProducer(
        **client_options(settings),
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        max_batch_size=BATCH_SIZE,
    )
    await producer.start()

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
            future = await producer.send(topic, value, key=key, headers=headers)
            await future

        topic = f"produce-{uuid.uuid4().hex}"
        await sender.soon_connected()
        our_rates, bare_rates = [], []
        await spread(send, 500)
        await spread(publish, 500)
        for _ in range(ROUNDS):
            bare_rates.append(await spread(send, EVENTS))
            our_rates.append(await spread(publish, EVENTS))
    await producer.stop()
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
    bare_rate = await consume_bare(settings, topic, number)
    decoding = await consume_bare(settings, topic, number, decode_event)
    done = asyncio.Event()
    count = 0

    class Nothing(ConsumerBase[ProductCreated]):
        name = uuid.uuid4().hex
        events = (ProductCreated,)

        async def handle(self, event: ProductCreated, scope: Any) -> None:  # noqa: ARG002
            nonlocal count
            count += 1
            if count == 1:
                self.started = perf_counter()
            if count == number:
                self.ended = perf_counter()
                done.set()

    Nothing.topic = topic
    resources = Resources(settings)
    app: Any = None
    attempts.open_scope = no_scope  # type: ignore[attr-defined, assignment]
    consumer = Nothing(app)
    async with Worker(resources, consumer):
        await done.wait()
    return number / (consumer.ended - consumer.started), bare_rate, decoding


def decode_event(message: Any) -> object:
    events = {ProductCreated.type: {ProductCreated.version: ProductCreated}}
    return decode(message.value, header_texts(message.headers), events)


async def consume_bare(
    settings: Settings, topic: str, number: int, handle: Callable[[Any], object] | None = None
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
            if handle:
                for message in batch:
                    handle(message)
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
    number = EVENTS
    async with database.session() as session:
        await OutboxProducer(session, resources).publish_all(
            event(value) for value in range(number)
        )
    async with Sender(settings) as sender:
        await sender.soon_connected()
        started = perf_counter()
        async with Relay(settings, sender):
            await emptied(settings.database_url)
            rate = number / (perf_counter() - started)
            keep("relay of the outbox", [rate], "events/s", "", ">= 2000", 2000)
            await delays(settings, database, resources)
    await database.close()


async def publish_many(database: DatabaseSessionManager, resources: Resources) -> None:
    """Save events in the outbox one by one and at once, in turns; none of them stays."""

    async def save_rate(number: int, *, at_once: bool) -> float:
        async with database.session() as session:
            producer = OutboxProducer(session, resources)
            events = [event(value) for value in range(number)]
            started = perf_counter()
            if at_once:
                await producer.publish_all(events)
            else:
                for single_event in events:
                    await producer.publish(single_event)
            rate = number / (perf_counter() - started)
            await session.rollback()
        return rate

    number = 1000 if QUICK else 5000
    one_by_one, at_once = [], []
    await save_rate(200, at_once=False)
    await save_rate(200, at_once=True)
    for _ in range(ROUNDS):
        one_by_one.append(await save_rate(number, at_once=False))
        at_once.append(await save_rate(number, at_once=True))
    figures = f"({median(at_once):.0f} events/s, one by one {median(one_by_one):.0f})"
    ratios = [batch_rate / single_rate for batch_rate, single_rate in zip(at_once, one_by_one, strict=True)]
    keep("publishing many at once", ratios, "times", f"one by one {figures}", ">= 10", 10)


async def delays(
    settings: Settings, database: DatabaseSessionManager, resources: Resources
) -> None:
    """Publish 200 events a second, and measure from each commit to its acknowledgment."""
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

    number = 400 if QUICK else 2000
    started = perf_counter()
    async with asyncio.TaskGroup() as group:
        for value in range(number):
            await asyncio.sleep(max(0, started + value / 200 - perf_counter()))
            group.create_task(publish(value))
    await emptied(settings.database_url)
    dispatcher.send = send
    delay = median(acknowledged[event_id] - committed[event_id] for event_id in committed) * 1000
    sample = f"(median of {number} at 200 events a second)"
    keep("commit to acknowledgment", [delay], "ms", sample, "<= 50", 50, -1)


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


def report(name: str, our_rates: list[float], bare_rates: list[float], least: float) -> None:
    """Print a ratio of each round, and keep it as benchmarks/measure.py does."""
    ratios = [our_rate / bare_rate for our_rate, bare_rate in zip(our_rates, bare_rates, strict=True)]
    figures = f"{median(our_rates):.0f} events/s, bare {median(bare_rates):.0f}"
    keep(name, ratios, "times", f"a bare aiokafka client ({figures})", f">= {least}", least)


def keep(  # noqa: PLR0913, PLR0917 - as in benchmarks/measure.py
    name: str, figures: list[float], unit: str, comparison: str, goal: str, least: float, sign: int = 1
) -> None:
    """Print a figure, and keep it as benchmarks/measure.py does."""
    middle = median(figures)
    text = f"{middle:.2f} ({min(figures):.2f} to {max(figures):.2f}) {unit} {comparison}"
    holds = sign * middle >= sign * least
    print(f"{name}: {text}; goal {goal}: {'met' if holds else 'MISSED'}", flush=True)
    if file := os.environ.get("BENCHMARK_RESULTS"):
        result = {
            "name": name,
            "figures": figures,
            "unit": unit,
            "against": comparison,
            "goal": goal,
            "holds": holds,
        }
        with Path(file).open("a") as results:
            results.write(json.dumps(result) + "\n")


async def measure(settings: Settings) -> None:
    await relay(settings)
    await produce(settings)
    pairs = [await consume(settings, EVENTS) for _ in range(ROUNDS)]
    our_rates, bare_rates, decoding = (list(values) for values in zip(*pairs, strict=True))
    report("consuming, handler that does nothing", our_rates, bare_rates, 0.5)
    report("getmany that decodes, no consumer", decoding, bare_rates, 0.5)
    total, before = 0, 0.0
    while total < 100_000:
        await consume(settings, EVENTS)
        total += EVENTS
        before = before or memory()
        if QUICK and total >= 20_000:
            break
    comparison = f"{before:.0f} MB after the first {EVENTS}"
    keep(f"memory after {total} messages", [memory() / before], "times", comparison, "<= 1.1", 1.1, -1)


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
