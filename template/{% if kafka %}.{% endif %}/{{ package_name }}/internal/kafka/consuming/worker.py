"""Runs one consumer: polls, commits, and reconnects."""

import asyncio
import contextlib
from collections.abc import Collection
from time import monotonic
from typing import Any, Self

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from ...config.service_settings import ServiceSettings
from ...resources import Resources
from ..background import Retries, cancel, uninterrupted
from ..connection import abandon_join, client_options, start_client
from ..consumer_base import ConsumerBase
from ..settings import KafkaSettings
from .attempt import Attempts
from .key_queues import Delivery, KeyQueues
from .progress import Progress

POLL = 0.5
COMMIT_INTERVAL = 0.5
MAX_POLL_INTERVAL = 300
ROOM_TIMEOUT = 1.0
"""Seconds that a full consumer waits for room before it parks the messages of long queues."""

CAPACITY_FACTOR = 50
"""Messages that a consumer holds, at the most, as a multiple of its concurrency."""

FETCHED_BYTES = 8 * 1024 * 1024
"""Bytes that a broker sends in one answer, at the most, unless one batch is larger."""

LEAVE_TIMEOUT = 3.0
"""Seconds for the last commit, and as many for leaving the group, when the service stops."""

INTERRUPTIONS = (KafkaError, OSError, TimeoutError)
"""Errors of a connection that comes back by itself."""

logger = structlog.get_logger(__name__)


class Worker(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Polls a topic, hands over its messages, and commits the offsets of those handled."""

    def __init__(self, resources: Resources, consumer: ConsumerBase[Any]) -> None:
        self._settings = settings = resources.get(KafkaSettings)
        group = settings.kafka_consumer_group or resources.get(ServiceSettings).service_name
        self.group = f"{settings.kafka_namespace}{group}.{consumer.name}"
        self.topic = settings.kafka_namespace + consumer.topic
        self._attempts = Attempts(resources, consumer, self.group)
        self._client: AIOKafkaConsumer | None = None
        self._queues: KeyQueues | None = None
        self._progress: dict[TopicPartition, Progress] = {}
        self._committing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._read_from: dict[TopicPartition, int] = {}
        self._retries = Retries(
            "consumer interrupted",
            INTERRUPTIONS,
            on_failure=self._note_failure,
            consumer=self.group,
        )
        self.is_stopping = False
        self.failure: str | None = "it has not joined its group yet"

    async def __aenter__(self) -> Self:
        """Start to consume, without waiting for brokers."""
        self._task = asyncio.create_task(self._keep_consuming(), name=f"kafka-{self.group}")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Finish the messages that are being handled, commit, and leave the group."""
        self.is_stopping = True
        if self._task:
            await cancel(self._task)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Accept messages of these partitions from now on."""
        self._progress |= {partition: Progress() for partition in assigned}
        self.failure = None

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Finish the messages of these partitions that are being handled, and commit."""
        given_up = [
            self._progress[partition] for partition in revoked if partition in self._progress
        ]
        for progress in given_up:
            progress.is_revoked = True
        if self._queues and given_up:
            await self._queues.hand_back(given_up, self._settings.kafka_drain_timeout)
        await self._commit()
        for partition in revoked:
            self._progress.pop(partition, None)
            self._read_from.pop(partition, None)

    def state(self) -> dict[str, int]:
        """Return numbers for logs and probes."""
        return {
            "lag": self._lag(),
            "waiting": self._queues.size if self._queues else 0,
            "in_flight": self._queues.in_flight if self._queues else 0,
            **self._attempts.counters.as_dict(),
        }

    async def _keep_consuming(self) -> None:
        while True:
            async with self._retries.attempt():
                try:
                    await self._consume()
                except asyncio.CancelledError:
                    if self.is_stopping or _is_cancelled():
                        raise
                    raise RuntimeError("aiokafka cancelled its own consumer") from None

    def _note_failure(self, reason: str) -> None:
        self.failure = reason

    async def _consume(self) -> None:
        concurrency = self._settings.kafka_consumer_concurrency
        self.failure = self.failure or "it joins its group"
        capacity = concurrency * CAPACITY_FACTOR
        queues = KeyQueues(self._attempts, concurrency, capacity, self._read_again)
        client = AIOKafkaConsumer(**self._options())
        client.subscribe([self.topic], listener=self)
        self._queues, self._client = queues, client
        tasks = [asyncio.create_task(self._commit_regularly())]
        try:
            await start_client(client)
            tasks.append(asyncio.create_task(self._poll(client, queues)))
            ended_tasks, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended_tasks:  # they end only with an error
                task.result()
        finally:
            await uninterrupted(self._close(client, queues, tasks))

    async def _close(
        self, client: AIOKafkaConsumer, queues: KeyQueues, tasks: list[asyncio.Task[None]]
    ) -> None:
        await cancel(*tasks)
        try:
            await self.on_partitions_revoked(list(self._progress))
            await queues.close()
        finally:
            self._client = self._queues = None
            await self._leave(client)

    async def _leave(self, client: AIOKafkaConsumer) -> None:
        if self.failure:
            await abandon_join(client)
        with contextlib.suppress(*INTERRUPTIONS):
            async with asyncio.timeout(self._request_timeout()):
                await client.stop()

    def _request_timeout(self) -> float:
        timeout = self._settings.kafka_request_timeout
        return min(timeout, LEAVE_TIMEOUT) if self.is_stopping else timeout

    async def _poll(self, client: AIOKafkaConsumer, queues: KeyQueues) -> None:
        while True:
            batches = await client.getmany(timeout_ms=round(POLL * 1000), max_records=queues.room)
            for partition, messages in batches.items():
                # A partition that was revoked meanwhile belongs to its next owner.
                progress = self._progress.get(partition)
                if progress is not None and not progress.is_revoked:
                    self._enqueue(queues, partition, progress, messages)
            await self._note_positions(client)
            await self._wait_for_room(client, queues)

    def _enqueue(
        self, queues: KeyQueues, partition: TopicPartition, progress: Progress, messages: list[Any]
    ) -> None:
        requested_offset = self._read_from.pop(partition, None)
        if requested_offset is not None:
            queues.forget(progress, requested_offset, messages[0].offset)
        for message in messages:
            delivery = Delivery(message, progress)
            if progress.has_seen(message.offset):
                queues.add_again(delivery)
            else:
                progress.begin(message.offset)
                queues.add(delivery)

    def _read_again(self, progress: Progress, offset: int) -> None:
        """Read the messages of a partition again, from this offset."""
        for partition, current in self._progress.items():
            if current is progress and self._client is not None:
                with contextlib.suppress(KafkaError):  # the partition was taken away just now
                    self._client.seek(partition, offset)
                    self._read_from[partition] = offset

    async def _note_positions(self, client: AIOKafkaConsumer) -> None:
        """Record offsets without messages: transaction markers and aborted messages."""
        for partition, progress in list(self._progress.items()):
            with contextlib.suppress(KafkaError, TimeoutError):
                if partition in client.assignment() and client.highwater(partition) is not None:
                    async with asyncio.timeout(POLL):
                        progress.reach(await client.position(partition))

    async def _wait_for_room(self, client: AIOKafkaConsumer, queues: KeyQueues) -> None:
        polled_at = monotonic()
        while queues.full:
            if not await queues.wait_for_room(min(ROOM_TIMEOUT, MAX_POLL_INTERVAL / 10)):
                queues.park()
            if monotonic() - polled_at > MAX_POLL_INTERVAL / 10:
                polled_at = monotonic()
                await self._poll_nothing(client)

    async def _poll_nothing(self, client: AIOKafkaConsumer) -> None:
        # The group expels a member that does not poll, so poll also while handlers are slow.
        partitions = client.assignment()
        client.pause(*partitions)
        await client.getmany(timeout_ms=0)
        client.resume(*(partitions & client.assignment()))

    async def _commit_regularly(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_INTERVAL)
            await self._commit()

    async def _commit(self) -> None:
        async with self._committing:
            offsets = {
                partition: offset
                for partition, progress in self._progress.items()
                if (offset := progress.to_commit) is not None
            }
            if not offsets or self._client is None:
                return
            try:
                async with asyncio.timeout(self._request_timeout()):
                    await self._client.commit(offsets)
            except INTERRUPTIONS as error:
                # Uncommitted messages are delivered again, to the next owner of the partition.
                logger.warning("offsets not committed", consumer=self.group, reason=repr(error))
                return
            for partition, offset in offsets.items():
                if partition in self._progress:
                    self._progress[partition].committed(offset)

    def _lag(self) -> int:
        if self._client is None:
            return 0
        ends = {partition: self._end(partition) for partition in self._progress}
        return sum(
            max(0, end - position)
            for partition, end in ends.items()
            if end is not None and (position := self._progress[partition].position) is not None
        )

    def _end(self, partition: TopicPartition) -> int | None:
        """Return the end of the readable messages: those before any open transaction."""
        if self._client is None or partition not in self._client.assignment():
            return None
        stable: int | None = self._client.last_stable_offset(partition)
        if stable is not None and stable >= 0:
            return stable
        end: int | None = self._client.highwater(partition)
        return end

    def _options(self) -> dict[str, Any]:
        drain = self._settings.kafka_drain_timeout
        session = self._settings.kafka_session_timeout
        return {
            **client_options(self._settings),
            "group_id": self.group,
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "isolation_level": "read_committed",
            "fetch_max_bytes": FETCHED_BYTES,
            "session_timeout_ms": round(session * 1000),
            "heartbeat_interval_ms": round(session * 1000 / 4),
            "max_poll_interval_ms": MAX_POLL_INTERVAL * 1000,
            "rebalance_timeout_ms": round((drain + 20) * 1000),
        }


class Workers(list[Worker]):
    """The workers of all consumers."""


def _is_cancelled() -> bool:
    """Return whether this task itself was cancelled, not something that it awaits."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
