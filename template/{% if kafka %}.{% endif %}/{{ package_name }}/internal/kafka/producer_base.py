"""The base class of producers."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from .event_base import EventBase


class ProducerBase(ABC):
    """Publishes events at least once, and in order for each key."""

    @abstractmethod
    async def publish(self, event: EventBase) -> None:
        """Publish an event. It is delivered if this call and the transaction succeed."""

    async def publish_all(self, events: Iterable[EventBase]) -> None:
        """Publish many events, much faster than one by one."""
        for event in events:
            await self.publish(event)
