"""Things with columns of every type, random lists of them, and the expected results."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import BaseModel

from orders.internal.lists import ListSchema

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from random import Random

    from orders.internal.lists import ListPage, ListQuery

    Find = Callable[[ListQuery], Awaitable[ListPage[Any]]]

NAMES = ["a", "ab", "a%", "a_b", "a\\b", "B", "b b", "é"]
START = datetime(2026, 1, 1, tzinfo=UTC)
SIZES = ("gte", "gt", "lte", "lt")


class Kind(StrEnum):
    """Not in alphabetical order, on purpose."""

    ROUND = "round"
    FLAT = "flat"
    TALL = "tall"


class ThingRead(BaseModel):
    """A thing in responses."""

    id: UUID
    name: str
    kind: Kind
    size: int
    price: Decimal | None
    due: date | None
    ready: bool
    made_at: datetime | None


THINGS = ListSchema(
    ThingRead,
    equal=("name", "ready"),
    one_of=("kind",),
    between=("size", "price", "due", "made_at"),
    starts_with=("name",),
    sort=("name", "kind", "size", "price", "due", "ready", "made_at"),
)


def random_thing(rng: Random) -> dict[str, Any]:
    """Return the values of a thing: few different ones, and nulls."""
    return {
        "id": UUID(int=rng.getrandbits(128)),
        "name": rng.choice(NAMES),
        "kind": rng.choice([*Kind]),
        "size": rng.randrange(3),
        "price": rng.choice([None, Decimal("0.50"), Decimal("9.99"), Decimal("10.00")]),
        "due": rng.choice([None, date(2026, 1, 1), date(2027, 12, 31)]),
        "ready": rng.random() < 0.5,
        "made_at": rng.choice([None, *(START + timedelta(microseconds=n) for n in range(3))]),
    }


def random_parameters(rng: Random) -> dict[str, Any]:
    """Return query parameters with up to three sort columns and two filters."""
    columns = rng.sample(THINGS.sort, rng.randrange(1, 4))
    sample = random_thing(rng)
    filters: dict[str, Any] = {
        "name": sample["name"],
        "name__startswith": rng.choice(["a", "a%", "a_", "a\\", "x"]),
        "kind": rng.sample([*Kind], rng.randrange(1, 3)),
        "ready": sample["ready"],
        f"size__{rng.choice(SIZES)}": 1,
        f"price__{rng.choice(SIZES)}": Decimal("9.985"),
        f"due__{rng.choice(SIZES)}": date(2027, 12, 31),
        f"made_at__{rng.choice(SIZES)}": START + timedelta(microseconds=1),
    }
    chosen = rng.sample(sorted(filters), rng.choice([0, 0, 1, 2]))
    sort = [rng.choice(["", "-"]) + column for column in columns]
    return {"sort": sort, **{name: filters[name] for name in chosen}}


def expected(things: Iterable[Any], parameters: dict[str, Any]) -> list[UUID]:
    """Return the expected ids of the whole list, in its order."""
    filters = {name: value for name, value in parameters.items() if name not in {"sort", "limit"}}
    matches = [thing for thing in things if all(_passes(thing, *item) for item in filters.items())]
    sort = [*parameters["sort"]]
    if not {"id", "-id"} & {*sort}:
        sort.append("-id" if sort[-1].startswith("-") else "id")
    for name in reversed(sort):
        column = name.removeprefix("-")
        matches.sort(key=lambda thing: _rank(getattr(thing, column)), reverse=name != column)
    return [thing.id for thing in matches]


def _rank(value: Any) -> tuple[bool, Any]:  # noqa: ANN401 - of any column
    if isinstance(value, Kind):
        return False, [*Kind].index(value)
    return value is None, value


def _passes(thing: object, name: str, operand: Any) -> bool:  # noqa: ANN401 - of any column
    column, _, operator = name.partition("__")
    value = getattr(thing, column)
    if value is None:
        return False
    tests: dict[str, Callable[[], bool]] = {
        "": lambda: value in operand if isinstance(operand, list) else value == operand,
        "gte": lambda: value >= operand,
        "gt": lambda: value > operand,
        "lte": lambda: value <= operand,
        "lt": lambda: value < operand,
        "startswith": lambda: value.startswith(operand),
    }
    return tests[operator]()


async def check_walk(find: Find, things: Sequence[Any], parameters: dict[str, Any]) -> None:
    """Read all pages forwards and backwards: both give the expected list."""
    expected_ids = expected(things, parameters)
    page = await find(THINGS.query(**parameters))
    assert page.previous_cursor is None, parameters
    read_ids = ids(page)
    while page.next_cursor is not None:
        page = await find(THINGS.query(**parameters, cursor=page.next_cursor))
        read_ids += ids(page)
    assert read_ids == expected_ids, parameters
    read_ids = ids(page)
    while page.previous_cursor is not None:
        page = await find(THINGS.query(**parameters, cursor=page.previous_cursor))
        read_ids = ids(page) + read_ids
    assert read_ids == expected_ids, parameters


async def check_walk_while_adding(
    find: Find,
    add: Callable[[], Awaitable[None]],
    things: Sequence[Any],
    parameters: dict[str, Any],
) -> None:
    """Read all pages while `add` adds things: every other one comes exactly once, in order."""
    at_first = expected(things, parameters)
    page = await find(THINGS.query(**parameters))
    read_ids = ids(page)
    while page.next_cursor is not None:
        await add()
        page = await find(THINGS.query(**parameters, cursor=page.next_cursor))
        read_ids += ids(page)
    expected_ids = expected(things, parameters)
    assert read_ids == [id_ for id_ in expected_ids if id_ in {*read_ids}], parameters
    assert {*at_first} <= {*read_ids}, parameters
    read_ids = ids(page)
    while page.previous_cursor is not None:
        await add()
        page = await find(THINGS.query(**parameters, cursor=page.previous_cursor))
        read_ids = ids(page) + read_ids
    assert read_ids == [id_ for id_ in expected(things, parameters) if id_ in {*read_ids}], (
        parameters
    )
    assert {*expected_ids} <= {*read_ids}, parameters


def ids(page: ListPage[Any]) -> list[UUID]:
    """Return the ids of a page's items."""
    return [item.id for item in page.items]
