"""Queries of the database, whose rows become what clients see."""

from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Select, bindparam, select

from ...internal.database import DatabaseReader
from ...internal.lists import ListPage, ListQuery, ListSchema

Read = TypeVar("Read", bound=BaseModel)


class SqlQueriesBase(Generic[Read]):
    """Reads the rows of one table into a schema, without ORM objects."""

    model: ClassVar[type[Any]]
    schema: ClassVar[type[BaseModel]]
    lists: ClassVar[ListSchema | None] = None
    """How the models can be listed."""

    # Statements that are kept are compiled once.
    _all: ClassVar[Select[*tuple[Any, ...]]]
    _by_key: ClassVar[Select[*tuple[Any, ...]]]

    def __init_subclass__(cls) -> None:
        """Prepare the statements, and refuse lists with columns that the model does not have."""
        super().__init_subclass__()
        for name in cls.lists.types if cls.lists else ():
            if not hasattr(cls.model, name):
                raise TypeError(f"{cls.model.__name__} has no column {name}: {cls.__name__}.lists")
        cls._all = select(cls.model)
        cls._by_key = cls._all.where(cls.model.id == bindparam("key"))

    def __init__(self, reader: DatabaseReader) -> None:
        self._reader = reader

    async def find_one(self, key: UUID) -> Read | None:
        """Return the model with this key as clients see it, if there is one."""
        found: Any = await self._reader.one_or_none(self._by_key, self.schema, {"key": key})
        return found  # type: ignore[no-any-return]  # the schema is `Read`

    async def find(self, query: ListQuery) -> ListPage[Read]:
        """Return the page that a query asks for."""
        page: Any = await self._reader.page(self._all, self.schema, query)
        return page  # type: ignore[no-any-return]  # the schema is `Read`
