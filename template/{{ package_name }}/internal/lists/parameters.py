"""The query parameters of a list, as a Pydantic model, and its cursors.

A cursor says where a page starts, as a text that clients hand back and need not understand.
"""

import operator
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import GenericAlias
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, create_model

from .query import Filter, Operator, Position, SortKey
from .types import checked_type

CURSOR_PATTERN: Final = "^[A-Za-z0-9_-]+$"

SIZES: Final = {
    Operator.GTE: "at least",
    Operator.GT: "more than",
    Operator.LTE: "at most",
    Operator.LT: "less than",
}

ANY_LIST: Final = TypeAdapter(list[Any])
Direction = Literal[">", ">=", "<", "<="]


def _refuse_twice(names: list[str]) -> list[str]:
    columns = [name.removeprefix("-") for name in names]
    if len(set(columns)) < len(columns):
        raise ValueError("name each column once")
    return names


SORT_RULES: Final = (
    Field(
        min_length=1,
        max_length=3,
        description="Columns to sort by, the most important first, each once; `-` reverses one.",
        json_schema_extra={"uniqueItems": True},
    ),
    AfterValidator(_refuse_twice),
)
Limit = Annotated[int, Field(ge=1, le=100, description="Items on a page.")]
Cursor = Annotated[
    str | None,
    Field(
        description="`page.next_cursor` or `page.previous_cursor` of an earlier page.",
        pattern=CURSOR_PATTERN,
    ),
]


def filters_of(
    equal: Sequence[str],
    one_of: Sequence[str],
    between: Sequence[str],
    starts_with: Sequence[str],
) -> tuple[Filter, ...]:
    """Return the filters on these columns, each under the name of its query parameter."""

    def filters() -> Iterator[Filter]:
        yield from (Filter(column, column, Operator.EQUAL) for column in equal)
        yield from (Filter(column, column, Operator.ONE_OF) for column in one_of)
        for column in between:
            yield from (Filter(f"{column}__{size.value}", column, size) for size in SIZES)
        for column in starts_with:
            yield Filter(f"{column}__startswith", column, Operator.STARTS_WITH)

    return tuple(filters())


def sort_keys(names: Sequence[str], key: str) -> tuple[SortKey, ...]:
    """Return the sort keys for names such as `-price`. The last one is `key`, which is unique.

    Names after `key` change nothing, and are left out.
    """
    keys = tuple(SortKey(name.removeprefix("-"), name.startswith("-")) for name in names)
    for count, sort_key in enumerate(keys, start=1):
        if sort_key.column == key:
            return keys[:count]
    # In the direction of the column before it, so that one index serves both directions.
    return (*keys, SortKey(key, keys[-1].descending))


def parameters_model(
    name: str,
    filters: Sequence[Filter],
    types: Mapping[str, Any],
    sort: Sequence[str],
    default_sort: Sequence[str],
) -> type[BaseModel]:
    """Return a model with a field for each query parameter; it keeps unknown ones apart."""
    sort_names = tuple(sign + column for column in sort for sign in ("", "-"))
    sort_name: Any = operator.getitem(Literal, sort_names)
    fields: dict[str, Any] = {
        **{filter_.name: (_filter_type(filter_, types), None) for filter_ in filters},
        "sort": (Annotated[GenericAlias(list, sort_name), *SORT_RULES], list(default_sort)),
        "limit": (Limit, 20),
        "cursor": (Cursor, None),
    }
    config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())
    return create_model(name, __config__=config, **fields)


def _filter_type(filter_: Filter, types: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any type form
    column, operator_ = filter_.column, filter_.operator
    kind = checked_type(types[column])
    if operator_ is Operator.ONE_OF:
        kind = Annotated[GenericAlias(list, kind), Field(max_length=100), AfterValidator(_ordered)]
        words = f"Only items with one of these: {column}."
    elif operator_ is Operator.EQUAL:
        words = f"Only items with this {column}."
    elif operator_ is Operator.STARTS_WITH:
        words = f"Only items whose {column} starts with this. Case counts."
    else:
        words = f"Only items whose {column} is {SIZES[operator_]} this."
    return Annotated[kind | None, Field(description=words)]


def _ordered(values: list[Any]) -> list[Any]:
    """Return each value once, in one order: a cursor belongs to the set, however it was sent."""
    return sorted(set(values), key=str)


class OtherQueryError(ValueError):
    """The cursor belongs to another list, or to one with another sort or other filters."""


def encode(position: Position, types: tuple[Any, ...], query_hash: str) -> str:
    """Return a position as text.

    Args:
        position: where a page starts.
        types: the types of its values.
        query_hash: identifies the list, its sort and its filters.
    """
    direction = ("<" if position.backwards else ">") + ("=" if position.inclusive else "")
    text = _adapter(types).dump_json((direction, query_hash, *position.values))
    return urlsafe_b64encode(text).decode().rstrip("=")


def decode(cursor: str, types: tuple[Any, ...], query_hash: str) -> Position:
    """Return the position that `encode` wrote into a cursor.

    Raises:
        OtherQueryError: `query_hash` was another one.
        ValueError: this is not a cursor.
    """
    if not re.fullmatch(CURSOR_PATTERN.strip("^$"), cursor):
        raise ValueError("not Base64 for URLs")
    text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    if ANY_LIST.validate_json(text)[1:2] != [query_hash]:
        raise OtherQueryError
    direction, _, *values = _adapter(types).validate_json(text)
    position = Position(tuple(values), direction.startswith("<"), direction.endswith("="))
    if encode(position, types, query_hash) != cursor:
        raise ValueError("not as `encode` writes it")
    return position


@lru_cache(maxsize=1024)
def _adapter(types: tuple[Any, ...]) -> TypeAdapter[tuple[Any, ...]]:
    values = (checked_type(kind) | None for kind in types)
    shape: Any = GenericAlias(tuple, (Direction, str, *values))
    return TypeAdapter(shape)
