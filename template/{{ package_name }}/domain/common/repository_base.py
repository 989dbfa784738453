"""What a service may ask of any repository."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

Model = TypeVar("Model")


@dataclass(frozen=True)
class ModelPage(Generic[Model]):
    """Models in the order of their keys, and the key after which the next page starts, if any."""

    items: Sequence[Model]
    next_after: UUID | None


class StaleModelError(Exception):
    """The model was changed by somebody else since it was read."""


class RepositoryBase(ABC, Generic[Model]):
    """Keeps models. It never commits: that is for whoever opened the transaction."""

    @abstractmethod
    async def get(self, key: UUID) -> Model | None:
        """Return the model with this key, if there is one."""

    @abstractmethod
    async def page(self, *, after: UUID | None, limit: int, **equal: object) -> ModelPage[Model]:
        """Return up to `limit` models after the key `after` whose attributes equal `equal`."""

    @abstractmethod
    async def add(self, model: Model) -> Model:
        """Keep a new model, and return it as it is kept."""

    @abstractmethod
    async def update(self, model: Model, changes: dict[str, Any]) -> Model:
        """Change attributes of a kept model, and return it as it is kept.

        Raises:
            StaleModelError: somebody else has changed it since it was read.
        """

    @abstractmethod
    async def delete(self, key: UUID) -> Model | None:
        """Forget the model with this key; return it as it was, if there was one."""
