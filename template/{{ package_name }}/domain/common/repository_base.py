"""The base class of repositories."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

from ...internal.lists import ListSchema

Model = TypeVar("Model")


@dataclass(frozen=True)
class ModelPage(Generic[Model]):
    """Models in the order of their keys, and the key before the next page, if there is one."""

    items: Sequence[Model]
    next_after: UUID | None


class StaleModelError(Exception):
    """The model was changed after it was read. Read it again, and repeat the change."""


class RepositoryBase(Generic[Model]):
    """Stores models. It never commits: the code that opened the transaction does."""

    lists: ClassVar[ListSchema | None] = None
    """How the models can be listed."""
