"""What the relay makes of topics that it does not find."""

from typing import Any

import pytest

from orders.internal.kafka.cloud_events import Record
from orders.internal.kafka.outbox import relay as module
from orders.internal.kafka.outbox.dispatch import Dispatch, Outcome, Saved
from orders.internal.kafka.outbox.relay import Relay
from orders.settings import Settings


class Producer:
    """Finds every topic."""

    async def partitions_for(self, _: str) -> set[int]:
        """Return the topic's partitions."""
        return {0}


class Statements:
    """Writes down which topics' events were set aside."""

    def __init__(self) -> None:
        self.topics: list[str] = []

    async def execute(self, statement: str, *values: str) -> None:
        """Note a statement."""
        if "topic =" in statement:
            self.topics.append(values[0])


class Watched(Relay):
    """A relay whose brokers are there, and whose clock is set by hand."""

    def __init__(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        sender: Any = None
        super().__init__(settings, sender)
        self.statements = Statements()
        self.now = 1000.0
        monkeypatch.setattr(module, "monotonic", lambda: self.now)

    async def find(self, topic: str) -> None:
        """Look a topic up with success; its one event is too large to be sent."""
        producer: Any = Producer()
        event = Saved(1, Record(topic, b"key", b"value", []))
        await self.settle(await Dispatch(producer, 1).send([event]))

    async def miss(self, topic: str) -> None:
        """Look a topic up in vain."""
        await self.settle(Outcome(unknown_topics={topic}))

    async def settle(self, outcome: Outcome) -> None:
        """Settle what became of events."""
        connection: Any = self.statements
        await self._settle(connection, outcome)

    def passed_over(self) -> list[str]:
        """Return the topics that are not looked up just now."""
        return self._absent()

    async def _brokers_answer(self) -> bool:
        return True


async def test_a_topic_that_was_found_has_all_its_time_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One slow look-up, a minute after another one, sets nothing aside."""
    relay = Watched(settings, monkeypatch)
    await relay.miss("slow")
    assert relay.passed_over() == ["slow"]
    await relay.find("slow")
    assert relay.passed_over() == []
    relay.now += 60
    await relay.miss("slow")
    assert relay.statements.topics == []


async def test_a_topic_that_stays_away_has_its_events_set_aside(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be sent for want of a topic waits for some time, and no longer."""
    relay = Watched(settings, monkeypatch)
    await relay.miss("lost")
    relay.now += module.UNKNOWN_TOPIC_PATIENCE + 1
    await relay.miss("lost")
    assert relay.statements.topics == ["lost"]
