"""The base class of consumers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

from fastapi import FastAPI

from .delivery import MessageScope

Event = TypeVar("Event")


class ConsumerBase(ABC, Generic[Event]):
    """Handles the events of one topic. Each consumer has its own consumer group.

    A subclass lists its `events`. Other events of the topic are skipped. Events with one
    key are handled in order, different keys in parallel. If a handler fails, the event
    is retried later. After the last attempt it becomes a dead letter.
    """

    topic: ClassVar[str]
    name: ClassVar[str]
    """Part of the consumer group's name. With a new name, the topic is read from its start."""

    events: ClassVar[Sequence[type[Any]]]

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    @abstractmethod
    async def handle(self, event: Event, scope: MessageScope) -> None:
        """Handle an event. If it raises an exception, the attempt has failed and is rolled back."""


class Consumers(list[type[ConsumerBase[Any]]]):
    """The consumers that the service runs."""
