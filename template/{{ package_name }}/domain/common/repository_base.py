"""Repositories keep the models of a domain."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

from ...internal.lists import ListSchema

Model = TypeVar("Model")


@dataclass(frozen=True)
class ModelPage(Generic[Model]):
    """Models in the order of their keys, and the key after which the next page starts, if any."""

    items: Sequence[Model]
    next_after: UUID | None


class StaleModelError(Exception):
    """The model has changed since it was read: read it again, and repeat the change."""


class RepositoryBase(Generic[Model]):
    """Keeps models. It never commits: the code that opened the transaction does."""

    lists: ClassVar[ListSchema | None] = None
    """How the models can be listed."""
