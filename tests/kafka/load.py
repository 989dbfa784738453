"""A load of writes, and its results."""

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer

from tests.kafka.replica import Replicas

PRODUCTS = 1000
CHANGES = 4
CLIENTS = 16
WRITES = PRODUCTS * (1 + CHANGES)
SETTLE_TIMEOUT = 90.0


class Load:
    """Creates products and changes each a few times, despite failures."""

    def __init__(self, replicas: Replicas, database: str) -> None:
        self._replicas = replicas
        self._database = database
        self.done = 0

    async def run(self) -> None:
        """Write until everything is written."""
        self._pool = await asyncpg.create_pool(self._database, min_size=1, max_size=4)
        numbers = iter(range(PRODUCTS))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(CLIENTS):
                    group.create_task(self._client(numbers))
        finally:
            await self._pool.close()

    async def until(self, fraction: float) -> None:
        """Return when this share of the writes is done."""
        while self.done < fraction * WRITES:  # noqa: ASYNC110 - of the clients
            await asyncio.sleep(0.01)

    async def _client(self, numbers: Any) -> None:  # noqa: ANN401 - shared by the clients
        for number in numbers:
            sku = f"LOAD-{number}"
            body: dict[str, Any] = {"sku": sku, "name": "Lamp", "price": "1"}
            product = await self._write("POST", "", body, sku, 1)
            for version in range(1, 1 + CHANGES):
                body = {"version": version, "name": f"Lamp {version}"}
                if version == CHANGES:
                    body["status"] = random.choice(["active", "retired"])  # noqa: S311 - nothing secret
                await self._write("PATCH", f"/{product}", body, sku, version + 1)

    async def _write(
        self, method: str, path: str, body: dict[str, Any], sku: str, version: int
    ) -> str:
        """Repeat a write until it is known to be done, as a killed service may not report it."""
        while True:
            try:
                port = random.choice(self._replicas.ports or [1])  # noqa: S311 - nothing secret
                url = f"http://127.0.0.1:{port}/api/v1/products{path}"
                response = await self._replicas.client.request(method, url, json=body)
                if response.is_success:
                    self.done += 1
                    return str(response.json()["data"]["id"])
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            query = "SELECT id FROM products WHERE sku = $1 AND version >= $2"
            if product_id := await self._pool.fetchval(query, sku, version):
                self.done += 1
                return str(product_id)


@dataclass
class Account:
    """The counts at the end."""

    expected: int
    sent: int
    lost: int
    repeated_sends: int
    effects_missing: int
    effects_duplicated: int
    disorder_on_the_topic: int
    disorder_in_effects: int
    counts_differ: bool

    def check(self) -> None:
        """Check that no event is lost, repeated or out of order."""
        violations = (
            self.lost,
            self.effects_missing,
            self.effects_duplicated,
            self.disorder_on_the_topic,
            self.disorder_in_effects,
            self.counts_differ,
        )
        assert violations == (0, 0, 0, 0, 0, False), self


async def settle(database: str) -> None:
    """Wait until the outbox is empty and all events are handled."""
    connection = await asyncpg.connect(database)
    try:
        async with asyncio.timeout(SETTLE_TIMEOUT):
            while True:
                waiting = await connection.fetchval("SELECT count(*) FROM internal.outbox")
                expected = await connection.fetchval("SELECT sum(version) FROM products")
                handled = await connection.fetchval("SELECT count(*) FROM internal.inbox")
                if waiting == 0 and handled >= expected:
                    return
                await asyncio.sleep(0.2)
    finally:
        await connection.close()


async def account(database: str, brokers: str, topic: str) -> Account:
    """Compare the database, the topic and the effects."""
    connection = await asyncpg.connect(database)
    rows = await connection.fetch("SELECT id::text, version, status::text FROM products")
    inbox = await connection.fetch("SELECT message_id, handled_at FROM internal.inbox")
    counted = await connection.fetch("SELECT status::text, count FROM product_status_counts")
    counts: dict[str, int] = {row["status"]: row["count"] for row in counted}
    await connection.close()
    messages = await read(brokers, topic)
    expected = {(row["id"], version) for row in rows for version in range(1, row["version"] + 1)}
    sent = [(message.key.decode(), version_of(message)) for message in messages]
    versions_by_id = {
        event_id(message): (message.key.decode(), version_of(message)) for message in messages
    }
    ids = [(row["message_id"].rpartition("#")[2], row["handled_at"]) for row in inbox]
    effects = [(versions_by_id.get(message_id), handled_at) for message_id, handled_at in ids]
    real: dict[str, int] = defaultdict(int)
    for row in rows:
        real[row["status"]] += 1
    handled = [effect for effect, _ in effects]
    return Account(
        expected=len(expected),
        sent=len(sent),
        lost=len(expected - set(sent)),
        repeated_sends=len(sent) - len(set(sent)),
        effects_missing=len(expected - set(handled)),
        effects_duplicated=len(handled) - len(set(handled)),
        disorder_on_the_topic=disorder(dict.fromkeys(sent)),
        disorder_in_effects=disorder(
            effect for effect, _ in sorted(effects, key=lambda effect: effect[1]) if effect
        ),
        counts_differ=dict(real) != {name: number for name, number in counts.items() if number},
    )


def disorder(events: Any) -> int:  # noqa: ANN401 - an iterable of keys and versions
    """Count the events whose version does not follow the previous version of their key."""
    last: dict[str, int] = defaultdict(int)
    violations = 0
    for key, version in events:
        violations += version != last[key] + 1
        last[key] = version
    return violations


def version_of(message: Any) -> int:  # noqa: ANN401 - a ConsumerRecord
    """Return the product's version in an event."""
    import json  # noqa: PLC0415

    version: int = json.loads(message.value)["product_version"]
    return version


def event_id(message: Any) -> str:  # noqa: ANN401 - a ConsumerRecord
    """Return an event's id."""
    return str(dict(message.headers)["ce_id"].decode())


async def read(brokers: str, topic: str) -> list[Any]:
    """Return all messages on a topic."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=brokers, auto_offset_reset="earliest")
    await consumer.start()
    messages: list[Any] = []
    try:
        while not consumer.assignment():  # noqa: ASYNC110 - of the brokers
            await asyncio.sleep(0.05)
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                messages += batch
    finally:
        await consumer.stop()
    return messages
