"""The SELECT that reads a page, built once for each form of query.

SQLAlchemy caches the SQL of a statement. It finds it at once for a statement object that we keep,
but has to compare a new object part by part.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    ColumnElement,
    Integer,
    Numeric,
    Select,
    and_,
    any_,
    bindparam,
    or_,
    select,
    tuple_,
)
from sqlalchemy.types import TypeEngine

from .query import Filter, ListQuery, Operator, SortKey

ESCAPES = str.maketrans({character: f"\\{character}" for character in r"\%_"})


class _Form(NamedTuple):
    """The parts of a query that shape its SQL. The values are bound when it runs."""

    filters: tuple[Filter, ...]
    order: tuple[SortKey, ...]
    nulls: tuple[bool, ...] | None
    """Which values of the position are null; None for a page that starts at the first item."""
    inclusive: bool


class _Key(NamedTuple):
    """A sort column, and the position's value in it."""

    column: Any
    value: BindParameter[Any]
    descending: bool
    nullable: bool
    is_null: bool


def page_statement(model: type[Any], query: ListQuery) -> Select[tuple[Any]]:
    """Return the statement that reads a page of `model`, and one row more."""
    start = query.start
    if start is None:
        shape = _Form(query.filters, query.read_order, None, inclusive=False)
    else:
        nulls = tuple(value is None for value in start.values)
        shape = _Form(query.filters, query.read_order, nulls, start.inclusive)
    return _statement(model, shape)  # type: ignore[arg-type]  # mypy: is a class hashable?


def page_values(query: ListQuery) -> Mapping[str, Any]:
    """Return the values to run the statement of a query with."""
    values = dict(query.values)
    for name, _, operator in query.filters:
        if operator is Operator.STARTS_WITH:
            values[name] = values[name].translate(ESCAPES) + "%"
    if query.start is not None:
        for key, value in zip(query.order, query.start.values, strict=True):
            values[_position_name(key)] = value
    values["limit"] = query.limit + 1
    return values


@lru_cache(maxsize=1024)
def _statement(model: type[Any], shape: _Form) -> Select[tuple[Any]]:
    conditions = [_condition(getattr(model, filter_.column), filter_) for filter_ in shape.filters]
    if shape.nulls is not None:
        keys = [
            _key(model, key, is_null=is_null)
            for key, is_null in zip(shape.order, shape.nulls, strict=True)
        ]
        conditions.append(_beyond(keys, inclusive=shape.inclusive))
    columns = [(getattr(model, key.column), key.descending) for key in shape.order]
    order = [column.desc() if descending else column.asc() for column, descending in columns]
    limit = bindparam("limit", type_=Integer)
    return select(model).where(*conditions).order_by(*order).limit(limit)


def _condition(column: Any, filter_: Filter) -> ColumnElement[bool]:  # noqa: ANN401 - any column
    kind = _bound_type(column.type)
    value: BindParameter[Any] = bindparam(filter_.name, type_=kind)
    condition: ColumnElement[bool]
    match filter_.operator:
        case Operator.EQUAL:
            condition = column == value
        case Operator.ONE_OF:
            # Not IN, which would be another statement for each number of values.
            condition = column == any_(bindparam(filter_.name, type_=ARRAY(kind)))
        case Operator.GTE:
            condition = column >= value
        case Operator.GT:
            condition = column > value
        case Operator.LTE:
            condition = column <= value
        case Operator.LT:
            condition = column < value
        case Operator.STARTS_WITH:
            condition = column.like(value)
    return condition


def _beyond(keys: list[_Key], *, inclusive: bool) -> ColumnElement[bool]:
    """Return the condition for rows beyond the position, in the order of reading."""
    *major, last = keys
    if all(key.descending is last.descending and not key.nullable for key in major):
        # PostgreSQL starts to read an index at a row; it cannot do that with ANDs and ORs.
        columns = tuple_(*(key.column for key in keys))
        values = tuple_(*(key.value for key in keys))
        return _compare(columns, values, last.descending, inclusive=inclusive)
    condition = _compare(last.column, last.value, last.descending, inclusive=inclusive)
    for key in reversed(major):
        condition = _beyond_key(key, condition)
    return condition


def _beyond_key(key: _Key, next_keys: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition for rows beyond `key`, or equal to it and then `tied`."""
    column, value = key.column, key.value
    if key.is_null:
        is_equal = and_(column.is_(None), next_keys)
        return or_(column.is_not(None), is_equal) if key.descending else is_equal
    if key.nullable and not key.descending:
        return or_(column > value, column.is_(None), and_(column == value, next_keys))
    at_least = _compare(column, value, key.descending, inclusive=True)
    return and_(at_least, or_(_compare(column, value, key.descending, inclusive=False), next_keys))


def _compare(
    left: Any,  # noqa: ANN401 - a column or a row
    right: Any,  # noqa: ANN401 - of values
    descending: bool,  # noqa: FBT001 - reads well where it is called
    *,
    inclusive: bool,
) -> ColumnElement[bool]:
    condition: ColumnElement[bool]
    if descending:
        condition = left <= right if inclusive else left < right
    else:
        condition = left >= right if inclusive else left > right
    return condition


def _key(model: type[Any], key: SortKey, *, is_null: bool) -> _Key:
    column = getattr(model, key.column)
    value: BindParameter[Any] = bindparam(_position_name(key), type_=_bound_type(column.type))
    return _Key(column, value, key.descending, column.nullable, is_null)


def _position_name(key: SortKey) -> str:
    return f"{key.column}__position"


def _bound_type(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type of a value to compare with: a column's type may round it, or refuse it."""
    if type(kind) is Numeric:
        return Numeric()
    if isinstance(kind, Integer):
        return BigInteger()
    return kind
