"""Queries of models in memory, which become what clients see."""

from dataclasses import replace
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel

from ...internal.lists import ListPage, ListQuery
from ...internal.lists.memory import read_page
from ...internal.memory import Memory

Read = TypeVar("Read", bound=BaseModel)


class MemoryQueriesBase(Generic[Read]):
    """Reads the models of one class into a schema."""

    model: ClassVar[type[Any]]
    schema: ClassVar[type[BaseModel]]

    def __init__(self, memory: Memory) -> None:
        self._models: dict[UUID, Any] = memory.models(self.model)

    async def find_one(self, key: UUID) -> Read | None:
        """Return the model with this key as clients see it, if there is one."""
        model = self._models.get(key)
        return None if model is None else self._read(model)

    async def find(self, query: ListQuery) -> ListPage[Read]:
        """Return the page that a query asks for."""
        page: ListPage[Any] = read_page(self._models.values(), query)
        return replace(page, items=[self._read(model) for model in page.items])

    def _read(self, model: object) -> Read:
        found: Any = self.schema.model_validate(model, from_attributes=True)
        return found  # type: ignore[no-any-return]  # the schema is `Read`
