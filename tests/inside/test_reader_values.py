"""Readers return the same values as sessions, for many statements and types."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pydantic import BaseModel, create_model
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Date,
    DateTime,
    Dialect,
    Float,
    Interval,
    LargeBinary,
    Numeric,
    Select,
    SmallInteger,
    Text,
    Time,
    TypeDecorator,
    Uuid,
    delete,
    func,
    select,
    union_all,
)
from sqlalchemy import Enum as EnumType
from sqlalchemy.dialects.postgresql import (
    CIDR,
    DATERANGE,
    INET,
    INT4MULTIRANGE,
    INT4RANGE,
    JSONB,
    NUMRANGE,
    TSTZRANGE,
    Range,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column

from orders.internal.database import DatabaseSessionManager


class Color(Enum):
    """An enum stored by name."""

    RED = "r"
    BLUE = "b"


@dataclass(frozen=True, order=True)
class Money:
    """An amount in cents."""

    cents: int


class MoneyType(TypeDecorator[Money]):
    """Stores money as a number of cents."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Money | None, _: Dialect) -> int | None:
        """Return the cents."""
        return None if value is None else value.cents

    def process_result_value(self, value: int | None, _: Dialect) -> Money | None:
        """Return the money; Money(0) for null."""
        return Money(value or 0)


class Base(DeclarativeBase):
    """The metadata of the table in these tests."""


# Values that PostgreSQL stores exactly.
NUMBERS = st.integers(-(2**31), 2**31 - 1)
DECIMALS = st.decimals(-(10**7), 10**7, places=4)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy adds the zone
DATES = st.dates(date(1900, 1, 1), date(2100, 1, 1))
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


def ranges(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return ranges between two values, with any bounds, also unbounded and empty ones."""
    pairs = st.tuples(values, values).map(sorted)
    bounds = st.sampled_from(["[]", "[)", "(]", "()"])
    closed = st.builds(lambda pair, bounds: Range(*pair, bounds=bounds), pairs, bounds)
    return closed | values.map(Range) | st.just(Range(empty=True))


COLUMNS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "small": (SmallInteger, st.integers(-(2**15), 2**15 - 1)),
    "exact": (Numeric(12, 4), DECIMALS),
    "rounded": (Numeric(12, 4, asdecimal=False), DECIMALS.map(float)),
    "real": (Float, st.floats(allow_nan=False)),
    "decimal_float": (Float(53, asdecimal=True), st.floats(-1e9, 1e9).map(Decimal)),
    "ready": (EnumType(Color, name="color"), st.sampled_from(Color)),
    "plain_enum": (EnumType(Color, native_enum=False), st.sampled_from(Color)),
    "colors": (ARRAY(EnumType(Color, name="color")), st.lists(st.sampled_from(Color), max_size=3)),
    "document": (JSON, DOCUMENTS),
    "binary_document": (JSONB, DOCUMENTS),
    "numbers": (ARRAY(BigInteger), st.lists(NUMBERS | st.none(), max_size=3)),
    "table": (
        ARRAY(Numeric(12, 4), dimensions=2),
        st.lists(st.tuples(DECIMALS, DECIMALS), max_size=2).map(
            lambda rows: [[*row] for row in rows]
        ),
    ),
    "span": (INT4RANGE, ranges(st.integers(-(2**30), 2**30))),
    "spans": (INT4MULTIRANGE, st.lists(ranges(st.integers(-(2**30), 2**30)), max_size=3)),
    "prices": (NUMRANGE, ranges(DECIMALS)),
    "period": (TSTZRANGE, ranges(MOMENTS)),
    "days": (DATERANGE, ranges(DATES)),
    "duration": (Interval, st.timedeltas(timedelta(days=-9999), timedelta(days=9999))),
    "moment": (DateTime(timezone=True), MOMENTS),
    "local_moment": (DateTime, MOMENTS.map(lambda moment: moment.replace(tzinfo=None))),
    "day": (Date, DATES),
    "hour": (Time, st.times()),
    "zoned_hour": (Time(timezone=True), st.times(timezones=st.just(UTC))),
    "key": (Uuid, st.uuids()),
    "text_key": (Uuid(as_uuid=False), st.uuids().map(str)),
    "data": (LargeBinary, st.binary(max_size=9)),
    "address": (INET, st.ip_addresses()),
    "network": (CIDR, st.ip_addresses(v=4).map(lambda address: IPv4Network(f"{address}/32"))),
    "money": (MoneyType, st.builds(Money, NUMBERS)),
    "words": (Text, TEXTS),
}
"""Types, each with values to store."""


class Item(Base):
    """A row with a column of each type, whose names differ from those of the attributes."""

    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


for name, (kind, _) in COLUMNS.items():
    setattr(Item, name, mapped_column(f"c_{name}", kind, nullable=True))

ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | values for name, (_, values) in COLUMNS.items()}),
    max_size=4,
)
NAMES = st.lists(st.sampled_from([*COLUMNS]), min_size=1, max_size=5, unique=True)


ITEM: Any = Item
AnySelect = Select[*tuple[Any, ...]]


@st.composite
def statements(draw: st.DrawFn) -> AnySelect:
    """Draw a statement of one of many kinds, with columns of any types."""
    names = draw(NAMES)
    columns = [getattr(ITEM, name) for name in names]
    labels = [column.label(f"{name}_label") for name, column in zip(names, columns, strict=True)]
    other = aliased(ITEM, name="other")
    inner = select(ITEM.id, *columns).cte("inner_items")
    moved = (getattr(other, name).label(f"other_{name}") for name in names)
    both = union_all(select(ITEM.id, *columns), select(ITEM.id, *columns)).subquery()
    some = draw(st.lists(st.sampled_from(Color) | st.none(), max_size=3))
    forms: list[AnySelect] = [
        select(*columns).where(ITEM.ready.in_(some)),
        select(*labels).order_by(ITEM.id).limit(2).offset(1),
        select(ITEM.id, *moved).join(other, other.id == ITEM.id + 1, isouter=True),
        select(inner).where(inner.c.id >= 0),
        select(both),
        select(func.count(), func.array_agg(ITEM.exact).label("all"), func.max(ITEM.moment)),
        select(func.max(ITEM.money).label("most"), func.min(ITEM.words).label("least")),
        select(ITEM.ready, func.count(ITEM.id).label("number")).group_by(ITEM.ready),
        select((ITEM.exact * 2).label("twice"), ITEM.document["a"].label("part")),
        select(ITEM.id).where(ITEM.money == Money(draw(NUMBERS)), ITEM.key == draw(st.uuids())),
    ]
    return draw(st.sampled_from(forms))


@pytest.fixture(name="database")
async def _database(postgres: str) -> AsyncIterator[DatabaseSessionManager]:
    manager = DatabaseSessionManager()
    manager.init(postgres, pool_size=2, max_overflow=0)
    async with manager.connect() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield manager
    await manager.close()


async def store(database: DatabaseSessionManager, rows: list[dict[str, Any]]) -> None:
    """Replace the rows of the table."""
    async with database.session() as session:
        await session.execute(delete(Item))
        session.add_all([Item(id=number, **row) for number, row in enumerate(rows)])


SETTINGS = examples(
    database=None,
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@SETTINGS
@given(rows=ROWS, statement=statements())
async def test_the_values_equal_those_of_a_session(
    database: DatabaseSessionManager, rows: list[dict[str, Any]], statement: AnySelect
) -> None:
    """For any statement, types and values, also null."""
    await store(database, rows)
    async with database.session(read_only=True) as session:
        expected = [dict(row) for row in (await session.execute(statement)).mappings()]
    names = [column["name"] for column in statement.column_descriptions]
    schema: type[BaseModel] = create_model("Row", **dict.fromkeys(names, (Any, ...)))  # type: ignore[call-overload]
    found = [dict(row) for row in await database.reader.all(statement, schema)]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


@SETTINGS
@given(rows=ROWS)
async def test_the_attributes_of_an_entity_equal_those_of_a_session(
    database: DatabaseSessionManager, rows: list[dict[str, Any]]
) -> None:
    """An entity and its alias, read alone, beside a column, and nested."""
    await store(database, rows)
    names = ["id", *COLUMNS]
    schema: type[BaseModel] = create_model("Whole", **dict.fromkeys(names, (Any, ...)))  # type: ignore[call-overload]
    async with database.session(read_only=True) as session:
        items = (await session.scalars(select(Item).order_by(ITEM.id))).all()
        expected = [{name: getattr(item, name) for name in names} for item in items]
    for entity in (ITEM, aliased(ITEM)):
        alone = select(entity).order_by(entity.id)
        for statement in (alone, alone.add_columns((entity.id + 1).label("next"))):
            found = [dict(row) for row in await database.reader.all(statement, schema)]
            assert list(map(repr, found)) == list(map(repr, expected))
