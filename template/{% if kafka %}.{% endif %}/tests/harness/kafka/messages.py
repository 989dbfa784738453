"""Raw messages."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

PATIENCE = 20.0
POLL = 0.02

Result = TypeVar("Result")


class Messages:
    """Reads and writes topics without a consumer group."""

    def __init__(self, servers: str, namespace: str) -> None:
        self._servers = servers
        self._namespace = namespace
        self._producer = AIOKafkaProducer(bootstrap_servers=servers)

    async def __aenter__(self) -> Self:
        """Connect."""
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def send(
        self, topic: str, value: bytes, key: bytes | None = None, **headers: str
    ) -> None:
        """Send a message."""
        encoded = [(name, text.encode()) for name, text in headers.items()]
        topic = self._namespace + topic
        await self._producer.send_and_wait(topic, value, key=key, headers=encoded)

    async def read(self, topic: str, number: int) -> list[Any]:
        """Return a number of messages of a topic, in order for each partition."""
        topic = self._namespace + topic
        messages: list[Any] = []
        consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=self._servers, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            async with asyncio.timeout(PATIENCE):
                while len(messages) < number:
                    for batch in (await consumer.getmany(timeout_ms=200)).values():
                        messages += batch
        finally:
            await consumer.stop()
        return messages


async def eventually(look: Callable[[], Awaitable[Result]], expected: Result) -> None:
    """Repeat a check until it succeeds, or fail with the last value."""
    value = await look()
    try:
        async with asyncio.timeout(PATIENCE):
            while value != expected:
                await asyncio.sleep(POLL)
                value = await look()
    except TimeoutError:
        pass
    assert value == expected
