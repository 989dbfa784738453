"""Developers look at events, and send dead letters back, by the Makefile."""

import asyncio
import os
import signal

from orders.settings import Settings

from tests.harness.kafka.messages import Messages

KNOWN = {"ce_type": "inside.happened", "ce_typeversion": "1", "ce_id": "1"}
LETTER = {
    **KNOWN,
    "dead_letter_group": "recorder",
    "dead_letter_error": "ValueError: no luck",
}


def environment(settings: Settings) -> dict[str, str]:
    """Return what tells a target of the brokers and the namespace of a test, and no database."""
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


async def test_the_tail_shows_messages_as_they_come(settings: Settings, messages: Messages) -> None:
    """What is there is shown readably, and then what comes."""
    await messages.send("inside", b'{"number":1}', b"a", **KNOWN)
    process = await asyncio.create_subprocess_exec(
        *("make", "--silent", "events-tail", "topic=inside"),
        env=environment(settings),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout
    async with asyncio.timeout(30):
        first = (await process.stdout.readline()).decode()
        assert 'inside.happened v1 key=a id=1 {"number":1}' in first
        await messages.send("inside", b"\xff\x00", b"b", ce_id="2")
        second = (await process.stdout.readline()).decode()
        assert "? v? key=b id=2 \\xff" in second
    os.killpg(process.pid, signal.SIGTERM)  # a background shell's children ignore SIGINT
    await process.wait()


async def test_dead_letters_are_chosen_by_key_and_tried_dry(
    settings: Settings, messages: Messages
) -> None:
    """Of several letters those of one key go back, after a look at what would."""
    for key in (b"a", b"b"):
        headers = {**LETTER, "dead_letter_topic": f"{settings.kafka_namespace}inside"}
        await messages.send("inside.dead-letters", b"{}", key, **headers)
    status, lines = await make(settings, "events-replay", "topic=inside", "key=b", "dry-run=1")
    assert (status, lines[-1]) == (0, "1 dead letters would be sent back to inside")
    status, lines = await make(settings, "events-replay", "topic=inside", "key=b")
    assert (status, lines[-1]) == (0, "1 dead letters sent back to inside")
    (message,) = await messages.read("inside", 1)
    assert message.key == b"b"


async def test_a_moment_that_is_none_is_refused(settings: Settings) -> None:
    """A mistyped time sends nothing, and the message says how it is written."""
    status, lines = await make(settings, "events-replay", "topic=inside", "since=yesterday")
    assert status != 0
    assert any("ISO 8601" in line for line in lines), lines
    assert not any("Traceback" in line for line in lines), lines


async def test_brokers_that_are_away_are_one_line(settings: Settings) -> None:
    """Where nothing listens, the address is named."""
    away = settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})
    status, lines = await make(away, "events-replay", "topic=inside")
    assert status != 0
    assert any("127.0.0.1:1" in line for line in lines), lines
    assert not any("Traceback" in line for line in lines), lines
