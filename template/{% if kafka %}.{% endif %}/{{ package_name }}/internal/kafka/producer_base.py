"""What publishes events."""

from abc import ABC, abstractmethod

from .event_base import EventBase


class ProducerBase(ABC):
    """Publishes events: at least once each, and in the order of their key."""

    @abstractmethod
    async def publish(self, event: EventBase) -> None:
        """Publish an event; it will arrive once this has returned and the work has succeeded."""
