"""Keeps models in memory."""

from dataclasses import replace
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from ...internal.lists import ListPage, ListQuery
from ...internal.lists.memory import read_page
from ...internal.memory import Memory
from ...internal.utils import utc_now
from .repository_base import RepositoryBase, StaleModelError

Model = TypeVar("Model", bound=Any)


class MemoryRepositoryBase(RepositoryBase[Model], Generic[Model]):
    """Keeps models of one class, which are frozen dataclasses."""

    model: ClassVar[type[Any]]

    def __init__(self, memory: Memory) -> None:
        self._models: dict[UUID, Model] = memory.models(self.model)

    async def get(self, key: UUID) -> Model | None:
        """Return the model with this key, if there is one."""
        return self._models.get(key)

    async def find(self, query: ListQuery) -> ListPage[Model]:
        """Return the page of models that a query asks for."""
        return read_page(self._models.values(), query)

    async def add(self, model: Model) -> Model:
        """Keep a new model."""
        self._models[model.id] = model
        return model

    async def update(self, model: Model, changes: dict[str, Any]) -> Model:
        """Change a model, which gets its next version if anything differs.

        Raises:
            StaleModelError: it was changed or deleted since it was read.
        """
        if self._models.get(model.id) is not model:
            raise StaleModelError
        if all(getattr(model, name) == value for name, value in changes.items()):
            return model
        changed = replace(model, **changes, version=model.version + 1, updated_at=utc_now())
        self._models[model.id] = changed
        return changed

    async def delete(self, key: UUID) -> Model | None:
        """Delete the model with this key; return it as it was, if there was one."""
        return self._models.pop(key, None)
