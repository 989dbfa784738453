"""Shows the messages of a topic, and sends dead letters back to where they came from."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from .cloud_events import header_texts
from .connection import client_options
from .dead_letters import SUFFIX, sent_back
from .errors import BrokersUnavailable
from .settings_base import ConnectionSettings

REPLAY_GROUP_SUFFIX = ".replay"


async def tail(settings: ConnectionSettings, topic: str, *, follow: bool) -> AsyncIterator[str]:
    """Give a line for each message of a topic: those that are there, then those that come."""
    async with _reader(settings, settings.kafka_namespace + topic, None) as (reader, ends):
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
) -> AsyncIterator[str]:
    """Send the dead letters of a topic back to it, and give a line for each.

    Where it stopped is kept, so that no letter is sent back twice; with `since` or `key` those that
    were chosen are sent whether they were before or not.
    """
    chosen = since is not None or key is not None
    source = settings.kafka_namespace + topic + SUFFIX
    group = None if chosen else source + REPLAY_GROUP_SUFFIX
    count = 0
    async with _reader(settings, source, group) as (reader, ends), _writer(settings) as writer:
        async for message in _messages(reader, ends):
            if (since and message.timestamp < since.timestamp() * 1000) or (
                key is not None and message.key != key.encode()
            ):
                continue
            try:
                record = sent_back(message)
            except ValueError as error:
                yield f"passed over, {error}: {readable(message)}"
                continue
            yield ("would send " if dry_run else "sends ") + readable(message)
            count += 1
            if not dry_run:
                target, _, value, headers = record
                await writer.send_and_wait(target, value, key=record.key, headers=headers)
        if group and not dry_run and ends:
            await reader.commit(ends)
    yield f"{count} dead letters {'would be ' if dry_run else ''}sent back to {topic}"


def readable(message: Any) -> str:  # noqa: ANN401 - a ConsumerRecord
    """Return a message as one line for people."""
    headers = header_texts(message.headers)
    time = datetime.fromtimestamp(message.timestamp / 1000, UTC).isoformat(timespec="milliseconds")
    body = (message.value or b"").decode(errors="backslashreplace")
    key = (message.key or b"-").decode(errors="backslashreplace")
    name = f"{headers.pop('ce_type', '?')} v{headers.pop('ce_typeversion', '?')}"
    error = headers.get("dead_letter_error")
    place = f"{message.topic}/{message.partition}@{message.offset}"
    line = f"{time} {place} {name} key={key} id={headers.get('ce_id', '-')} {body}"
    return f"{line} error={error!r}" if error else line


async def _messages(
    reader: AIOKafkaConsumer, ends: dict[TopicPartition, int]
) -> AsyncIterator[Any]:
    """Give the messages that are there now."""
    while any([await reader.position(one) < end for one, end in ends.items()]):
        for messages in (await reader.getmany(timeout_ms=500)).values():
            for message in messages:
                yield message


@asynccontextmanager
async def _reader(
    settings: ConnectionSettings, topic: str, group: str | None
) -> AsyncIterator[tuple[AIOKafkaConsumer, dict[TopicPartition, int]]]:
    """Give a reader of all partitions of a topic, and where each ends now."""
    reader = AIOKafkaConsumer(
        **client_options(settings),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    try:
        with _told(settings):
            await reader.start()
            numbers = await reader._client._wait_on_metadata(topic)  # noqa: SLF001
            partitions = [TopicPartition(topic, number) for number in numbers]
            reader.assign(partitions)
            ends = await reader.end_offsets(partitions)
        yield reader, ends
    finally:
        await reader.stop()


@asynccontextmanager
async def _writer(settings: ConnectionSettings) -> AsyncIterator[AIOKafkaProducer]:
    writer = AIOKafkaProducer(**client_options(settings), acks="all", enable_idempotence=True)
    try:
        await writer.start()
        yield writer
    finally:
        await writer.stop()


@contextmanager
def _told(settings: ConnectionSettings) -> Iterator[None]:
    """Turn what aiokafka raises into an error that says where brokers should be."""
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        servers = settings.kafka_bootstrap_servers
        raise BrokersUnavailable(f"Kafka at {servers}: {error!r}") from error
