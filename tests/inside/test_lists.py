"""Lists of a table: filters, sorts and pages in both directions, while rows are added."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date, datetime
from decimal import Decimal
from random import Random
from typing import Any, ClassVar
from uuid import UUID

import pytest
from sqlalchemy import DateTime, Numeric, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from orders.domain.common.model_base import enum_type
from orders.domain.common.sql_repository_base import SqlRepositoryBase
from orders.internal.database import DatabaseSessionManager
from orders.internal.lists import ListPage, ListQuery

from .things import (
    THINGS,
    Kind,
    check_walk,
    check_walk_while_adding,
    random_parameters,
    random_thing,
)


class Base(DeclarativeBase):
    """The metadata of the tables in these tests."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: DateTime(timezone=True)}


class Thing(Base):
    """A row with columns of many types, nullable ones among them."""

    __tablename__ = "things"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20, collation="C"))
    kind: Mapped[Kind] = mapped_column(enum_type(Kind, "kind"))
    size: Mapped[int]
    price: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    due: Mapped[date | None]
    ready: Mapped[bool]
    made_at: Mapped[datetime | None]


class ThingRepository(SqlRepositoryBase[Any]):
    """Keeps things."""

    model = Thing
    lists = THINGS


@pytest.fixture(name="database")
async def _database(postgres: str) -> AsyncIterator[DatabaseSessionManager]:
    manager = DatabaseSessionManager()
    manager.init(str(postgres))
    async with manager.connect() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield manager
    await manager.close()


@pytest.fixture(name="find")
def _find(database: DatabaseSessionManager) -> Callable[[ListQuery], Awaitable[ListPage[Any]]]:
    async def find(query: ListQuery) -> ListPage[Any]:
        async with database.session(read_only=True) as session:
            return await ThingRepository(session).find(query)

    return find


@pytest.fixture(name="add")
def _add(database: DatabaseSessionManager) -> Callable[..., Awaitable[None]]:
    async def add(things: list[Thing], *new: dict[str, Any]) -> None:
        rows = [Thing(**values) for values in new]
        async with database.session() as session:
            session.add_all(rows)
        things.extend(rows)

    return add


@pytest.mark.parametrize("seed", range(2))
async def test_pages_are_parts_of_the_sorted_and_filtered_list(
    find: Callable[..., Any], add: Callable[..., Any], seed: int
) -> None:
    """Forwards and backwards, for random sorts and filters, with equal values and nulls."""
    rng, things = Random(seed), list[Thing]()  # noqa: S311 - no secret
    await add(things, *(random_thing(rng) for _ in range(40)))
    for _ in range(25):
        await check_walk(find, things, {**random_parameters(rng), "limit": rng.randrange(1, 30)})


async def test_rows_added_between_pages_do_not_affect_others(
    find: Callable[..., Any], add: Callable[..., Any]
) -> None:
    """Every other row comes exactly once, in order."""
    rng, things = Random(7), list[Thing]()  # noqa: S311 - no secret
    await add(things, *(random_thing(rng) for _ in range(20)))

    async def add_some() -> None:
        await add(things, *(random_thing(rng) for _ in range(2)))

    for _ in range(10):
        parameters = {**random_parameters(rng), "limit": 9}
        await check_walk_while_adding(find, add_some, things, parameters)
