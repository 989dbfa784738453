"""The service's one connection for sending: it comes up by itself, and is never waited for."""

import asyncio
import contextlib
import random
from collections import deque
from typing import Any, Self

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    UnknownTopicOrPartitionError,
)

from .cloud_events import Record
from .connection import client_options, start_client
from .errors import BrokersUnavailable, EventRefusedError, ProducerBufferFull
from .settings_base import ConnectionSettings

BATCH_SIZE = 128 * 1024
"""Bytes that are sent in one piece, at the most, unless one event is larger."""

NOT_QUEUED = (KafkaTimeoutError, MessageSizeTooLargeError, UnknownTopicOrPartitionError)
"""What aiokafka raises before it has counted a message."""

logger = structlog.get_logger(__name__)


class Sender:
    """Sends messages on one idempotent producer, which waits for every in-sync replica."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._timeout = settings.kafka_request_timeout
        self._limit = settings.kafka_buffer_size
        self._producer: AIOKafkaProducer | None = None
        self._lost = asyncio.Event()
        self._tried = asyncio.Event()
        self._waiting = 0
        self._told: deque[tuple[float, asyncio.Future[BaseException | None]]] = deque()
        self._expiry: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to connect."""
        self._lost.set()
        self._task = asyncio.create_task(self._keep_connected(), name="kafka-sender")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send what is waiting, and disconnect."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._producer:
            await self._close(self._producer)

    @property
    def waiting(self) -> int:
        """How many messages the brokers have not acknowledged yet."""
        return self._waiting

    def connected(self) -> AIOKafkaProducer:
        """Return the producer.

        Raises:
            BrokersUnavailable: it is not connected yet, or no longer.
        """
        if self._producer is None:
            servers = self._settings.kafka_bootstrap_servers
            raise BrokersUnavailable(f"not connected to Kafka at {servers}")
        return self._producer

    async def send(self, record: Record) -> None:
        """Send a message, and return when every in-sync replica has it.

        Raises:
            BrokersUnavailable: they do not answer in time.
            ProducerBufferFull: too many messages wait already.
            EventRefusedError: brokers will never take this one.
        """
        if self._waiting >= self._limit:
            raise ProducerBufferFull(self._limit)
        producer = await self._soon_connected()
        self._waiting += 1
        try:
            topic, key, value, headers = record
            future = await producer.send(topic, value, key=key, headers=headers)
        except BaseException as error:
            self._waiting -= 1
            if isinstance(error, KafkaError):
                if not isinstance(error, NOT_QUEUED):
                    self.replace(producer)
                raise _refusal(error) from error
            raise
        failure = await self._settled(future)
        if failure:
            # aiokafka counts a failed message, brokers do not: all that followed would be refused.
            self.replace(producer)
            raise _refusal(failure) from failure

    def replace(self, producer: AIOKafkaProducer) -> None:
        """Get a new producer in the place of this one, whose numbering of messages is broken."""
        if self._producer is producer:
            self._producer = None
            self._tried.clear()
            self._lost.set()
            task = asyncio.create_task(self._close(producer))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def check(self) -> str:
        """Ask a broker for an answer, and say how many messages wait.

        Raises:
            BrokersUnavailable: none answers.
        """
        if not await self.connected().client.force_metadata_update():
            raise BrokersUnavailable("no broker answers")
        return f"answers, {self._waiting} events wait"

    async def _soon_connected(self) -> AIOKafkaProducer:
        """Wait for an attempt to connect that is under way, but not for a second one."""
        if self._producer is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timeout):
                    await self._tried.wait()
        return self.connected()

    async def _settled(self, future: "asyncio.Future[Any]") -> BaseException | None:
        """Wait until a message is acknowledged or refused, for a limited time.

        It counts until it is settled, not only for as long as somebody waits. This does what
        `asyncio.wait` does, in less than half of the time, and it is done for every event.
        """
        loop = asyncio.get_running_loop()
        told: asyncio.Future[BaseException | None] = loop.create_future()

        def settle(future: "asyncio.Future[Any]") -> None:
            self._waiting -= 1
            if not told.done():
                told.set_result(None if future.cancelled() else future.exception())
            while self._told and self._told[0][1].done():
                self._told.popleft()

        future.add_done_callback(settle)
        if self._expiry is None:
            self._expiry = loop.call_later(self._timeout, self._expire)
        self._told.append((loop.time() + self._timeout, told))
        return await told

    def _expire(self) -> None:
        """Tell those that have waited too long, and look again when the next one will have."""
        loop = asyncio.get_running_loop()
        self._expiry = None
        while self._told and (self._told[0][0] <= loop.time() or self._told[0][1].done()):
            _, told = self._told.popleft()
            if not told.done():
                what = f"no broker took the event within {self._timeout:g} s"
                told.set_exception(BrokersUnavailable(what))
        if self._told:
            self._expiry = loop.call_at(self._told[0][0], self._expire)

    async def _keep_connected(self) -> None:
        while True:
            await self._lost.wait()
            self._producer = await self._connect()
            self._tried.set()
            self._lost.clear()

    async def _connect(self) -> AIOKafkaProducer:
        failures = 0
        while True:
            producer = AIOKafkaProducer(**self._options())
            try:
                await start_client(producer, self._timeout)
            except (KafkaError, OSError, TimeoutError) as error:
                failures += 1
                self._tried.set()
                if failures == 1:
                    logger.warning("kafka unavailable", reason=str(error) or repr(error))
                await self._close(producer)
                await asyncio.sleep(random.uniform(0.5, 1) * min(0.2 * failures, 2))  # noqa: S311
            except BaseException:
                await self._close(producer)
                raise
            else:
                logger.info("kafka connected", servers=self._settings.kafka_bootstrap_servers)
                return producer

    def _options(self) -> dict[str, Any]:
        compression = self._settings.kafka_compression
        return {
            **client_options(self._settings),
            "acks": "all",
            "enable_idempotence": True,
            "compression_type": None if compression == "none" else compression,
            "max_batch_size": BATCH_SIZE,
            "max_request_size": self._settings.kafka_max_event_size,
        }

    async def _close(self, producer: AIOKafkaProducer) -> None:
        # Without a broker aiokafka would wait for ever for what it still has to send.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout / 2):
                await producer.flush()
        producer._message_accumulator.fail_all(BrokersUnavailable("the service stops"))  # noqa: SLF001
        with contextlib.suppress(TimeoutError, KafkaError, OSError):
            async with asyncio.timeout(self._timeout / 2):
                await producer.stop()


def _refusal(error: BaseException) -> EventRefusedError | BrokersUnavailable:
    if isinstance(error, MessageSizeTooLargeError):
        return EventRefusedError(f"the event is too large: {error}")
    return BrokersUnavailable(f"the event was not sent: {error!r}")
