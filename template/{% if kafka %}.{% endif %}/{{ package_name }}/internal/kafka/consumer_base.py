"""The base of every consumer."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

from fastapi import FastAPI

from .delivery import MessageScope

Event = TypeVar("Event")


class ConsumerBase(ABC, Generic[Event]):
    """Does something about the events of one topic, each consumer in a group of its own.

    A subclass says in `events` which it knows; others of the topic are passed over. Events with one
    key are handled one after another, different keys side by side. An event whose handling fails
    is tried again later, and after the last attempt it becomes a dead letter.
    """

    topic: ClassVar[str]
    name: ClassVar[str]
    """Part of the group's name: a new name reads the topic from its start."""

    events: ClassVar[Sequence[type[Any]]]

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    @abstractmethod
    async def handle(self, event: Event, scope: MessageScope) -> None:
        """Do what the event asks for; an exception means that nothing was done."""
