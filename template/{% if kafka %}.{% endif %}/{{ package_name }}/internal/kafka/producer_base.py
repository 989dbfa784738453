"""The base of everything that publishes events."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from .event_base import EventBase


class ProducerBase(ABC):
    """Publishes events: each at least once, and those of one key in their order."""

    @abstractmethod
    async def publish(self, event: EventBase) -> None:
        """Publish an event; it will arrive once this has returned and the work has succeeded."""

    async def publish_all(self, events: Iterable[EventBase]) -> None:
        """Publish many events, much faster than one by one."""
        for event in events:
            await self.publish(event)
