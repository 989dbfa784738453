"""Keeps models in the memory of the process: they are gone when it stops."""

from typing import Any, TypeVar
from uuid import UUID

from .resources import Resource

Model = TypeVar("Model")


class Memory:
    """The models of an application, by their class and id."""

    def __init__(self) -> None:
        self._models: dict[type[Any], dict[UUID, Any]] = {}

    def models(self, kind: type[Model]) -> dict[UUID, Model]:
        """Return the models of one class, to read and to change."""
        return self._models.setdefault(kind, {})


ApplicationMemory = Resource[Memory]
