"""Only `connection.py` uses private interfaces of aiokafka."""

import ast
import asyncio
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from orders.internal import kafka
from orders.internal.kafka import connection

CLIENTS = {"client", "producer", "consumer", "reader"}


def test_one_module_uses_private_interfaces() -> None:
    """No other module reads a client's private attribute, or the connection below it."""
    users = set()
    for path in Path(kafka.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "aiokafka.partitioner":
                users.add(path.name)
            if isinstance(node, ast.Attribute) and (
                (isinstance(node.value, ast.Name) and node.value.id in CLIENTS)
                and (node.attr.startswith("_") or node.attr == "client")
            ):
                users.add(path.name)
    assert users == {"connection.py"}


async def test_a_producer_asks_for_metadata_and_closes(kafka_bootstrap_servers: str) -> None:
    """It reports whether a broker answers, and its connections can be closed before it stops."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap_servers)
    await producer.start()
    assert await connection.refresh_metadata(producer)
    await connection.close_connections(producer)
    await producer.stop()


async def test_a_consumer_can_stop_before_it_has_joined_the_group(
    kafka_bootstrap_servers: str, kafka_namespace: str
) -> None:
    """The task that joins the group has the expected private name, and ends."""
    consumer = AIOKafkaConsumer(
        f"{kafka_namespace}topic",
        bootstrap_servers=kafka_bootstrap_servers,
        group_id=f"{kafka_namespace}group",
    )
    await consumer.start()
    try:
        joining = consumer._coordinator._coordination_task  # noqa: SLF001 - what ends below
        assert isinstance(joining, asyncio.Task)
        await connection.abandon_join(consumer)
        assert joining.done()
    finally:
        await consumer.stop()
