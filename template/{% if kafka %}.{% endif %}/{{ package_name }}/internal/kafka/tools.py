"""Shows the messages of a topic, and sends dead letters back to their topic."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from .cloud_events import header_texts
from .connection import client_options
from .dead_letters import SUFFIX, receipt, sent_back, sent_back_before
from .errors import BrokersUnavailable, EventError, EventRefusedError, UnknownTopicError
from .sender import Sender
from .settings import ConnectionSettings

REPLAY_GROUP_SUFFIX = ".replay"

READ_TIMEOUT = 5.0
"""Seconds without a message after which the rest of a partition counts as read."""

Ends = dict[TopicPartition, int]


async def tail(settings: ConnectionSettings, topic: str, *, follow: bool) -> AsyncIterator[str]:
    """Yield a line for each message of a topic: the stored ones, then new ones.

    Raises:
        UnknownTopicError: there is no such topic. It is not created.
    """
    source = settings.kafka_namespace + topic
    partitions = (await _topics(settings)).get(source)
    if partitions is None:
        raise UnknownTopicError(source)
    async with _reader(settings, partitions, None) as (reader, ends):
        async for message in _messages(reader, ends):
            yield readable(message)
        while follow:
            yield readable(await reader.getone())


async def replay(
    settings: ConnectionSettings,
    topic: str,
    *,
    since: datetime | None,
    key: str | None,
    dry_run: bool,
) -> AsyncGenerator[str, None]:
    """Send the dead letters of a topic back to it, and yield a line for each.

    Each letter is recorded as soon as it is sent, so that none is sent twice. With `since` or
    `key`, the chosen letters are sent even if they were sent before.
    """
    chosen = since is not None or key is not None
    source = settings.kafka_namespace + topic + SUFFIX
    topics = await _topics(settings)
    result = f"dead letters {'would be ' if dry_run else ''}sent back to {topic}"
    if source not in topics:
        yield f"0 {result}: there is no topic {source}"
        return
    group = None if chosen else source + REPLAY_GROUP_SUFFIX
    count = 0
    async with (
        _reader(settings, topics[source], group) as (reader, ends),
        Sender(settings) as sender,
    ):
        progress = ReplayProgress(reader, sender, source, is_recorded=not chosen and not dry_run)
        if not chosen:
            await progress.resume(ends)
        try:
            async for message in _messages(reader, ends):
                if (since and message.timestamp < since.timestamp() * 1000) or (
                    key is not None and message.key != key.encode()
                ):
                    continue
                if sent_back_before(message) is not None:
                    continue
                refusal = await _send_back(None if dry_run else sender, message, topics)
                await progress.record(message)
                if refusal:
                    yield f"passed over, {refusal}: {readable(message)}"
                else:
                    count += 1
                    yield ("would send " if dry_run else "sent ") + readable(message)
        finally:
            problem = await progress.close()
    if problem:
        yield f"No receipt was written, so brokers may forget this replay after a week: {problem}"
    yield f"{count} {result}"


class ReplayProgress:
    """Records which letters were replayed: in the group's offsets, and in receipts."""

    def __init__(
        self, reader: AIOKafkaConsumer, sender: Sender, source: str, *, is_recorded: bool
    ) -> None:
        self._reader = reader
        self._sender = sender
        self._source = source
        self._is_recorded = is_recorded
        self._offsets: dict[TopicPartition, int] = {}

    async def resume(self, ends: Ends) -> None:
        """Continue where the last replay stopped, even if brokers have deleted its offsets."""
        forgotten = {
            partition: end
            for partition, end in ends.items()
            if await self._reader.committed(partition) is None
        }
        if not forgotten:
            return
        starts = {partition: await self._reader.position(partition) for partition in ends}
        resume_at = dict.fromkeys(forgotten, 0)
        async for message in _messages(self._reader, forgotten):
            partition = TopicPartition(message.topic, message.partition)
            if partition in resume_at and (before := sent_back_before(message)) is not None:
                resume_at[partition] = max(resume_at[partition], before)
        for partition, start in starts.items():
            self._reader.seek(partition, max(start, resume_at.get(partition, 0)))

    async def record(self, message: Any) -> None:  # noqa: ANN401 - a ConsumerRecord
        """Record that a letter was replayed."""
        if self._is_recorded:
            partition = TopicPartition(message.topic, message.partition)
            self._offsets[partition] = message.offset + 1
            await self._reader.commit({partition: message.offset + 1})

    async def close(self) -> str | None:
        """Write a receipt for each partition with replayed letters.

        Returns the error if that fails, else None.
        """
        try:
            for partition, offset in self._offsets.items():
                await self._sender.send(
                    receipt(self._source, offset), partition=partition.partition
                )
        except EventError as error:
            return str(error)
        return None


async def _send_back(
    sender: Sender | None,
    message: Any,  # noqa: ANN401 - a ConsumerRecord
    topics: Mapping[str, Any],
) -> str | None:
    """Send a letter back. Return the reason if that is impossible, else None."""
    try:
        record = sent_back(message)
        if record.topic not in topics:
            return f"there is no topic {record.topic}"
        if sender:
            await sender.send(record, limited=False)
    except (ValueError, EventRefusedError) as error:
        return str(error)
    return None


async def _messages(reader: AIOKafkaConsumer, ends: Ends) -> AsyncIterator[Any]:
    """Yield the messages before the given ends."""
    unread = set(ends)
    while unread := {
        partition for partition in unread if await reader.position(partition) < ends[partition]
    }:
        try:
            async with asyncio.timeout(READ_TIMEOUT):
                batches = await reader.getmany(*unread, timeout_ms=500)
                while not batches:
                    batches = await reader.getmany(*unread, timeout_ms=500)
        except TimeoutError:  # the remaining offsets are markers of transactions, not messages
            return
        for messages in batches.values():
            for message in messages:
                yield message


async def _topics(settings: ConnectionSettings) -> dict[str, list[TopicPartition]]:
    """Return the partitions of every topic that the service may see. No topic is created."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        with _translated_errors(settings):
            await admin.start()
            descriptions = await admin.describe_topics()
    finally:
        await admin.close()
    return {
        topic["topic"]: [
            TopicPartition(topic["topic"], item["partition"]) for item in topic["partitions"]
        ]
        for topic in descriptions
    }


@asynccontextmanager
async def _reader(
    settings: ConnectionSettings, partitions: list[TopicPartition], group: str | None
) -> AsyncIterator[tuple[AIOKafkaConsumer, Ends]]:
    """Open a reader of partitions, and return the current end of each."""
    reader = AIOKafkaConsumer(
        **client_options(settings),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    try:
        with _translated_errors(settings):
            await reader.start()
            reader.assign(partitions)
            ends = await reader.end_offsets(partitions)
        yield reader, ends
    finally:
        await reader.stop()


@contextmanager
def _translated_errors(settings: ConnectionSettings) -> Iterator[None]:
    """Turn aiokafka's errors into one that names the brokers' addresses."""
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        servers = settings.kafka_bootstrap_servers
        raise BrokersUnavailable(f"Kafka at {servers}: {error!r}") from error


def readable(message: Any) -> str:  # noqa: ANN401 - a ConsumerRecord
    """Return a message as one readable line, even if it is malformed."""
    headers = header_texts(message.headers)
    body = (message.value or b"").decode(errors="backslashreplace")
    key = (message.key or b"-").decode(errors="backslashreplace")
    name = f"{headers.pop('ce_type', '?')} v{headers.pop('ce_typeversion', '?')}"
    error = headers.get("dead_letter_error")
    place = f"{message.topic}/{message.partition}@{message.offset}"
    line = f"{_time(message.timestamp)} {place} {name} key={key} id={headers.get('ce_id', '-')}"
    return _escaped(f"{line} {body} error={error!r}" if error else f"{line} {body}")


def _time(timestamp: int) -> str:
    """Convert milliseconds since 1970 to a time. Some producers write other units."""
    try:
        return datetime.fromtimestamp(timestamp / 1000, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, OSError, ValueError):
        return f"timestamp={timestamp}"


def _escaped(text: str) -> str:
    """Escape line breaks and control characters."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
