"""Repositories in PostgreSQL."""

from functools import lru_cache
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Integer, Select, bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.exc import StaleDataError

from ...internal.database import database_errors
from ...internal.lists import ListPage, ListQuery
from ...internal.lists.statements import page_statement, page_values
from .model_base import EntityModel
from .repository_base import ModelPage, RepositoryBase, StaleModelError

Entity = TypeVar("Entity", bound=EntityModel)


class SqlRepositoryBase(RepositoryBase[Entity], Generic[Entity]):
    """Stores models in one table, with the session of the caller's transaction."""

    model: ClassVar[type[Any]]

    def __init_subclass__(cls) -> None:
        """Refuse lists with columns that the model does not have."""
        super().__init_subclass__()
        for name in cls.lists.types if cls.lists else ():
            if not hasattr(cls.model, name):
                raise TypeError(f"{cls.model.__name__} has no column {name}: {cls.__name__}.lists")

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, key: UUID) -> Entity | None:
        """Return the model with this key, if there is one."""
        query = _by_key(self.model)  # type: ignore[arg-type]  # mypy: is a class hashable?
        model: Entity | None = await self._session.scalar(query, {"key": key})
        return model

    async def find(self, query: ListQuery) -> ListPage[Entity]:
        """Return the page of models that a query asks for."""
        statement = page_statement(self.model, query)
        models = (await self._session.scalars(statement, page_values(query))).all()
        return query.page(models)

    async def page(self, *, after: UUID | None, limit: int, **equal: object) -> ModelPage[Entity]:
        """Return up to `limit` models after the key `after` whose attributes equal `equal`."""
        query = _page(self.model, is_first=after is None)  # type: ignore[arg-type]  # the same
        if equal:
            query = query.filter_by(**equal)
        models = (await self._session.scalars(query, {"after": after, "limit": limit + 1})).all()
        items = models[:limit]
        return ModelPage(items, items[-1].id if len(models) > limit else None)

    async def add(self, model: Entity) -> Entity:
        """Store a new model, and return the stored model."""
        self._session.add(model)
        await self._flush()
        return model

    async def update(self, model: Entity, changes: dict[str, Any]) -> Entity:
        """Change attributes of a stored model. Its version increases if they differ.

        Raises:
            StaleModelError: another request changed or deleted it after it was read.
        """
        for name, value in changes.items():
            setattr(model, name, value)
        await self._flush()
        return model

    async def delete(self, key: UUID) -> Entity | None:
        """Delete the model with this key, and return it if it existed."""
        forget = delete(self.model).where(self.model.id == key).returning(self.model)
        with database_errors():
            deleted = await self._session.scalars(
                forget, execution_options={"synchronize_session": False, "populate_existing": True}
            )
        return deleted.first()

    async def _flush(self) -> None:
        try:
            with database_errors():
                await self._session.flush()
        except StaleDataError:
            raise StaleModelError from None


# SQLAlchemy finds a stored query in its cache faster than a newly built one.
@lru_cache
def _by_key(model: type[Any]) -> Select[tuple[Any]]:
    query = select(model).where(model.id == bindparam("key"))
    return query.execution_options(autoflush=False)


@lru_cache
def _page(model: type[Any], *, is_first: bool) -> Select[tuple[Any]]:
    query = select(model).order_by(model.id).limit(bindparam("limit", type_=Integer))
    return query if is_first else query.where(model.id > bindparam("after"))
