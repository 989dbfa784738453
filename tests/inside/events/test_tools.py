"""Developers read events, and replay dead letters, with the Makefile."""

import asyncio
import os
import signal
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from orders.internal.kafka import tools
from orders.internal.kafka.cloud_events import Record
from orders.internal.kafka.errors import EventRefusedError, UnknownTopicError
from orders.internal.kafka.sender import Sender
from orders.internal.kafka.tools import replay, tail
from orders.settings import Settings

from tests.harness.kafka.messages import Messages

KNOWN = {"ce_type": "inside.happened", "ce_typeversion": "1", "ce_id": "1"}
LETTER = {
    **KNOWN,
    "dead_letter_group": "recorder",
    "dead_letter_error": "ValueError: no luck",
}


def environment(settings: Settings) -> dict[str, str]:
    """Return variables with the brokers and the namespace of a test, without a database."""
    return {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "ORDERS_KAFKA_NAMESPACE": settings.kafka_namespace,
    }


async def make(settings: Settings, target: str, *arguments: str) -> tuple[int, list[str]]:
    """Run a target of the Makefile, and return its status and lines."""
    process = await asyncio.create_subprocess_exec(
        *("make", "--silent", target, *arguments),
        env=environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode().splitlines()


async def letters(settings: Settings, messages: Messages, number: int) -> None:
    """Create dead letters of one key, with their numbers as values."""
    await messages.send("inside", b"first", b"a")
    headers = {**LETTER, "dead_letter_topic": f"{settings.kafka_namespace}inside"}
    for value in range(number):
        await messages.send("inside.dead-letters", b"%d" % value, b"a", **headers)


async def replayed(settings: Settings, topic: str) -> list[str]:
    """Replay dead letters, and return the output."""
    lines = replay(settings, topic, since=None, key=None, dry_run=False)
    return [line async for line in lines]


async def test_the_tail_shows_messages_as_they_arrive(
    settings: Settings, messages: Messages
) -> None:
    """It prints existing messages in readable form, and then new ones."""
    await messages.send("inside", b'{"number":1}', b"a", **KNOWN)
    process = await asyncio.create_subprocess_exec(
        *("make", "--silent", "events-tail", "topic=inside"),
        env=environment(settings),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout
    async with asyncio.timeout(90):
        first = (await process.stdout.readline()).decode()
        assert 'inside.happened v1 key=a id=1 {"number":1}' in first
        await messages.send("inside", b"\xff\x00", b"b", ce_id="2")
        second = (await process.stdout.readline()).decode()
        assert "? v? key=b id=2 \\xff" in second
    os.killpg(process.pid, signal.SIGTERM)  # a background shell's children ignore SIGINT
    await process.wait()


async def test_a_replay_can_select_a_key_and_run_dry(
    settings: Settings, messages: Messages
) -> None:
    """A dry run lists the letters of the key. The replay sends only those."""
    await messages.send("inside", b"{}", b"first")
    key = "b'\"$HOME `id` $(shell id)"
    for message_key in ("a", key):
        headers = {**LETTER, "dead_letter_topic": f"{settings.kafka_namespace}inside"}
        await messages.send("inside.dead-letters", b"{}", message_key.encode(), **headers)
    chosen = ("topic=inside", f"key={key}")
    status, lines = await make(settings, "events-replay", *chosen, "dry-run=1")
    assert (status, lines[-1]) == (0, "1 dead letters would be sent back to inside")
    status, lines = await make(settings, "events-replay", *chosen)
    assert (status, lines[-1]) == (0, "1 dead letters sent back to inside")
    _, message = await messages.read("inside", 2)
    assert message.key == key.encode()


async def test_every_message_is_one_line(settings: Settings, messages: Messages) -> None:
    """Line breaks and terminal codes are escaped. A time in another unit is shown."""
    body = b'{\n "a": "\xc3\xa9"}\x1b[31m\r\xe2\x80\xae'
    await messages.send("inside", body, b"\n", ce_type="x\ty")
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers)
    async with producer:
        topic = f"{settings.kafka_namespace}inside"
        await producer.send_and_wait(topic, b"{}", key=b"odd", timestamp_ms=2 * 10**15)
    lines = sorted([line async for line in tail(settings, "inside", follow=False)])
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert r'key=\n id=- {\n "a": "é"}\x1b[31m\r\u202e' in lines[0]
    assert lines[1].startswith("timestamp=2000000000000000 ")


async def test_reading_does_not_create_a_topic(settings: Settings, messages: Messages) -> None:
    """The tail and the replay report a mistyped topic, and do not create it."""
    for _ in range(2):
        with pytest.raises(UnknownTopicError, match="typo"):
            await anext(tail(settings, "typo", follow=False))
        assert "no topic" in (await replayed(settings, "typo"))[-1]
    headers = {**LETTER, "dead_letter_topic": f"{settings.kafka_namespace}gone"}
    await messages.send("inside.dead-letters", b"{}", b"a", **headers)
    lines = await replayed(settings, "inside")
    assert "there is no topic" in lines[0]
    with pytest.raises(UnknownTopicError, match="gone"):
        await anext(tail(settings, "gone", follow=False))


async def test_an_interrupted_replay_continues(settings: Settings, messages: Messages) -> None:
    """It does not repeat letters that it sent, and sends all others."""
    await letters(settings, messages, 5)
    lines = replay(settings, "inside", since=None, key=None, dry_run=False)
    sent = [await anext(lines), await anext(lines)]
    await lines.aclose()
    assert all(line.startswith("sent ") for line in sent)
    assert (await replayed(settings, "inside"))[-1] == "3 dead letters sent back to inside"
    values = [message.value for message in await messages.read("inside", 6)]
    assert sorted(values) == [b"0", b"1", b"2", b"3", b"4", b"first"]


async def test_no_letter_is_replayed_twice_after_offsets_expire(
    settings: Settings, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Brokers delete the offsets of an idle group. Receipts among the letters replace them."""
    await letters(settings, messages, 2)
    assert (await replayed(settings, "inside"))[-1] == "2 dead letters sent back to inside"
    monkeypatch.setattr(tools, "REPLAY_GROUP_SUFFIX", ".forgotten")
    assert await replayed(settings, "inside") == ["0 dead letters sent back to inside"]
    await letters(settings, messages, 1)
    monkeypatch.setattr(tools, "REPLAY_GROUP_SUFFIX", ".forgotten-again")
    assert (await replayed(settings, "inside"))[-1] == "1 dead letters sent back to inside"


async def test_a_refused_letter_does_not_block_others(
    settings: Settings, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replay reports the reason, skips it, and sends those after it."""
    await letters(settings, messages, 3)
    send = Sender.send

    async def refuse(self: Sender, record: Record, **options: Any) -> None:  # noqa: ANN401
        if record.value == b"1":
            raise EventRefusedError("too large")
        await send(self, record, **options)

    monkeypatch.setattr(Sender, "send", refuse)
    lines = await replayed(settings, "inside")
    assert lines[1].startswith("passed over, too large: ")
    assert lines[-1] == "2 dead letters sent back to inside"


async def test_an_invalid_time_is_refused(settings: Settings) -> None:
    """A mistyped time sends nothing, and the message shows the format."""
    status, lines = await make(settings, "events-replay", "topic=inside", "since=yesterday")
    assert status != 0
    assert any("ISO 8601" in line for line in lines), lines
    assert not any("Traceback" in line for line in lines), lines


async def test_unavailable_brokers_are_reported_in_one_line(settings: Settings) -> None:
    """The line contains the address."""
    unreachable = settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})
    status, lines = await make(unreachable, "events-replay", "topic=inside")
    assert status != 0
    assert any("127.0.0.1:1" in line for line in lines), lines
    assert not any("Traceback" in line for line in lines), lines
