"""The service's one producer. It connects, and reconnects, in the background."""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Collection
from typing import Any, Self, TypeAlias

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    CorruptRecordException,
    InvalidTimestampError,
    InvalidTopicError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    UnsupportedForMessageFormatError,
)

from .background import Retries, cancel
from .cloud_events import BATCH_EVENTS, Record, in_batches
from .connection import client_options, close_connections, refresh_metadata, start_client
from .errors import BrokersUnavailable, EventRefusedError, ProducerBufferFull
from .settings import ConnectionSettings

BATCH_SIZE = 128 * 1024
"""Bytes of a batch, at the most, unless one event is larger."""

BUFFER_BYTES = 64 * 1024 * 1024
"""Bytes of the messages that wait to be sent, at the most."""

OVERDUE_AT_MOST = 100
"""Messages of one topic that may still be in the buffer after their senders have given up.

aiokafka cannot withdraw a message: without this limit one broken topic would fill the buffer.
"""

STOP_TIMEOUT = 2.0
"""Seconds that a producer may take to close its connections."""

NO_LIMIT = 2**31 - 1
"""Switches off aiokafka's limit for one message: the service and the brokers have their own."""

RETIRED_AT_MOST = 10
"""Replaced producers that may wait for acknowledgments at the same time."""

NOT_QUEUED = (
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
"""Errors that aiokafka raises before it gives a message a sequence number."""

REFUSALS = (
    CorruptRecordException,
    InvalidTimestampError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnsupportedForMessageFormatError,
)
"""Errors of a message's size or form: sending it again does not help."""

Settled: TypeAlias = "asyncio.Future[BaseException | None]"
"""The outcome of a message: None when brokers have acknowledged it, else the error."""

logger = structlog.get_logger(__name__)


class Sender:
    """Sends messages with one idempotent producer; every in-sync replica acknowledges them."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._timeout = settings.kafka_request_timeout
        self._limit = settings.kafka_buffer_size
        self._producer: AIOKafkaProducer | None = None
        self._lost = asyncio.Event()
        self._tried = asyncio.Event()
        self._waiting = 0
        self._waiting_bytes = 0
        self._retired: set[asyncio.Task[None]] = set()
        self._overdue: Counter[str] = Counter()
        self._pending: deque[tuple[float, str, Settled]] = deque()
        self._expiry: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start to connect, without waiting for it."""
        self._lost.set()
        self._task = asyncio.create_task(self._keep_connected(), name="kafka-sender")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send the messages that are waiting, and disconnect."""
        if self._task:
            await cancel(self._task)
        if self._producer:
            self._retire(self._producer)
        if self._retired:
            await asyncio.wait(self._retired, timeout=self._timeout / 2)
        await cancel(*self._retired)

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

    async def send(
        self, record: Record, *, limited: bool = True, partition: int | None = None
    ) -> None:
        """Send a message, and return when every in-sync replica has it.

        Args:
            record: the message.
            limited: refuse a message that is larger than the settings allow. A dead letter carries
                a message that brokers have accepted once, so only brokers may refuse it.
            partition: the partition, if it is not the one of the key.

        Raises:
            BrokersUnavailable: no broker acknowledges it in time.
            ProducerBufferFull: too many messages, or too many bytes, are waiting.
            EventRefusedError: it is too large, or brokers refuse it.
        """
        if limited:
            self._check_size(record)
        await self._acknowledged(*await self._enqueue(record, partition))

    async def send_all(self, records: Collection[Record]) -> None:
        """Send messages in their order, and return when every in-sync replica has all of them.

        Raises:
            EventRefusedError: one of them is too large, and none was sent; or brokers refuse one.
            BrokersUnavailable: they do not answer in time.
            ProducerBufferFull: too many messages of other senders wait already.
        """
        for record in records:
            self._check_size(record)
        for batch in in_batches(records, min(self._limit, BATCH_EVENTS)):
            await self._send_batch(batch)

    def replace(self, producer: AIOKafkaProducer) -> None:
        """Replace a producer whose sequence numbers no longer match the brokers'.

        The old one runs until its messages are acknowledged.
        """
        if self._producer is not producer:
            return
        if len(self._retired) >= RETIRED_AT_MOST:
            logger.error("kafka producer not replaced", unfinished=len(self._retired))
            return
        self._producer = None
        self._tried.clear()
        self._lost.set()
        self._retire(producer)

    async def check(self) -> str:
        """Check that a broker answers; return a status with the number of waiting messages.

        Raises:
            BrokersUnavailable: no broker answers.
        """
        if not await refresh_metadata(self.connected()):
            raise BrokersUnavailable("no broker answers")
        return f"answers, {self._waiting} events wait"

    async def soon_connected(self) -> AIOKafkaProducer:
        """Return the producer, after the current attempt to connect if there is one.

        Raises:
            BrokersUnavailable: the attempt failed.
        """
        if self._producer is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timeout):
                    await self._tried.wait()
        return self.connected()

    async def _send_batch(self, records: list[Record]) -> None:
        sent: list[tuple[AIOKafkaProducer, Settled]] = []
        try:
            for record in records:  # one after another: this keeps their order
                sent.append(await self._enqueue(record))  # noqa: PERF401 - complete after a failure
            for producer, settled in sent:
                await self._acknowledged(producer, settled)
        finally:
            for _, settled in sent:  # after a failure nobody waits for the others
                settled.cancel()

    async def _enqueue(
        self, record: Record, partition: int | None = None
    ) -> tuple[AIOKafkaProducer, Settled]:
        """Hand a message to the producer; return the producer and the future of the outcome."""
        topic, key, value, headers = record
        self._check_room(topic, record.size)
        producer = await self.soon_connected()
        self._waiting += 1
        self._waiting_bytes += record.size
        try:
            future = await producer.send(
                topic, value, key=key, headers=headers, partition=partition
            )
        except BaseException as error:
            self._waiting -= 1
            self._waiting_bytes -= record.size
            if isinstance(error, KafkaError):
                if not isinstance(error, NOT_QUEUED):
                    self.replace(producer)
                raise _refusal(error) from error
            raise
        return producer, self._settled(future, topic, record.size)

    async def _acknowledged(self, producer: AIOKafkaProducer, settled: Settled) -> None:
        failure = await settled
        if failure:
            # aiokafka has used up a sequence number that brokers have not: they would refuse all
            # later messages.
            self.replace(producer)
            raise _refusal(failure) from failure

    def _check_size(self, record: Record) -> None:
        size, largest = record.size, self._settings.kafka_max_event_size
        if size > largest:
            raise EventRefusedError(
                f"the event takes {size} bytes, over {largest}: make it smaller, or raise "
                "KAFKA_MAX_EVENT_SIZE"
            )

    def _check_room(self, topic: str, size: int) -> None:
        if self._overdue[topic] >= OVERDUE_AT_MOST:
            raise BrokersUnavailable(
                f"{OVERDUE_AT_MOST} events for topic {topic} are unsent after {self._timeout:g} s"
            )
        if self._waiting >= self._limit:
            raise ProducerBufferFull(self._limit)
        if self._waiting and self._waiting_bytes + size > BUFFER_BYTES:
            raise ProducerBufferFull(self._waiting, BUFFER_BYTES)

    def _settled(self, future: "asyncio.Future[Any]", topic: str, size: int) -> Settled:
        """Return a future of the message's outcome, with a time limit.

        The message counts as waiting until brokers answer, also after the time limit. This is
        twice as fast as `asyncio.wait`, for every event.
        """
        loop = asyncio.get_running_loop()
        settled: Settled = loop.create_future()

        def settle(future: "asyncio.Future[Any]") -> None:
            self._waiting -= 1
            self._waiting_bytes -= size
            if settled.done():
                self._overdue[topic] -= not settled.cancelled()
            else:
                cut = BrokersUnavailable("the producer dropped the event")
                settled.set_result(cut if future.cancelled() else future.exception())
            while self._pending and self._pending[0][2].done():
                self._pending.popleft()

        future.add_done_callback(settle)
        if self._expiry is None:
            self._expiry = loop.call_later(self._timeout, self._expire)
        self._pending.append((loop.time() + self._timeout, topic, settled))
        return settled

    def _expire(self) -> None:
        """Fail the messages whose time is up, and schedule the next check."""
        loop = asyncio.get_running_loop()
        self._expiry = None
        while self._pending and (self._pending[0][0] <= loop.time() or self._pending[0][2].done()):
            _, topic, settled = self._pending.popleft()
            if not settled.done():
                self._overdue[topic] += 1
                what = f"no broker acknowledged the event within {self._timeout:g} s"
                settled.set_exception(BrokersUnavailable(what))
        if self._pending:
            self._expiry = loop.call_at(self._pending[0][0], self._expire)

    async def _keep_connected(self) -> None:
        while True:
            await self._lost.wait()
            retries = Retries(
                "kafka unavailable",
                (KafkaError, OSError, TimeoutError),
                limit=2,
                on_failure=lambda _: self._tried.set(),
            )
            while self._producer is None:
                async with retries.attempt():
                    self._producer = await self._connect()
            logger.info("kafka connected", servers=self._settings.kafka_bootstrap_servers)
            self._tried.set()
            self._lost.clear()

    async def _connect(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(**self._options())
        try:
            await start_client(producer, self._timeout)
        except BaseException:
            await self._stop(producer)
            raise
        return producer

    def _options(self) -> dict[str, Any]:
        compression = self._settings.kafka_compression
        return {
            **client_options(self._settings),
            "acks": "all",
            "enable_idempotence": True,
            "compression_type": None if compression == "none" else compression,
            "max_batch_size": BATCH_SIZE,
            "max_request_size": NO_LIMIT,
        }

    def _retire(self, producer: AIOKafkaProducer) -> None:
        task = asyncio.create_task(self._finish(producer), name="kafka-producer-retired")
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)

    async def _finish(self, producer: AIOKafkaProducer) -> None:
        """Stop a producer after its last message is settled, or when this task is cancelled."""
        try:
            await producer.flush()
        finally:
            await self._stop(producer)

    async def _stop(self, producer: AIOKafkaProducer) -> None:
        """Stop a producer, and close its connections even if messages are still unsent.

        aiokafka cannot withdraw a message: a producer that has not stopped retries for as long as
        the event loop runs.
        """
        stopping = asyncio.ensure_future(producer.stop())
        await asyncio.wait((stopping,), timeout=STOP_TIMEOUT)
        if stopping.cancel():
            logger.warning("kafka producer stopped with unsent events", waiting=self._waiting)
            await asyncio.wait((stopping,))
            stopping = asyncio.ensure_future(close_connections(producer))
            await asyncio.wait((stopping,), timeout=STOP_TIMEOUT)
            stopping.cancel()
        elif not stopping.cancelled() and (error := stopping.exception()):
            logger.warning("kafka producer did not stop cleanly", reason=repr(error))


def _refusal(error: BaseException) -> EventRefusedError | BrokersUnavailable:
    if isinstance(error, REFUSALS):
        return EventRefusedError(f"brokers refuse the event: {error!r}")
    return BrokersUnavailable(f"the event was not sent: {error!r}")
