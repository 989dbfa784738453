"""The SELECT that reads a page, built once for each form of query.

SQLAlchemy caches the SQL of a statement. It finds it at once for a statement object that we keep,
but has to compare a new object part by part.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    ColumnElement,
    Integer,
    Label,
    Numeric,
    Select,
    and_,
    any_,
    bindparam,
    inspect,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import Mapper
from sqlalchemy.types import TypeEngine

from .query import Filter, ListQuery, Operator, SortKey

Anything = tuple[Any, ...]
"""The types of the columns of any statement."""

KEPT_FORMS: Final = 1024
"""Forms of query that are kept for each list."""

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


_statements = WeakKeyDictionary[Any, dict[_Form, Select[*Anything]]]()


def page_statement(source: type[Any] | Select[*Anything], query: ListQuery) -> Select[*Anything]:
    """Return the statement that reads a page, and one row more.

    Args:
        source: the model of the list, or a statement that selects the whole list in any order.
        query: what to filter and to sort by, and where the page is.
    """
    start = query.start
    if start is None:
        shape = _Form(query.filters, query.read_order, None, inclusive=False)
    else:
        nulls = tuple(value is None for value in start.values)
        shape = _Form(query.filters, query.read_order, nulls, start.inclusive)
    shapes = _statements.setdefault(source, {})
    if shape not in shapes:
        if len(shapes) >= KEPT_FORMS:
            shapes.clear()
        shapes[shape] = _statement(source, shape)
    return shapes[shape]


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


def _statement(source: type[Any] | Select[*Anything], shape: _Form) -> Select[*Anything]:
    statement = source if isinstance(source, Select) else select(source)
    columns = _columns(statement)
    conditions = [_condition(columns(filter_.column), filter_) for filter_ in shape.filters]
    if shape.nulls is not None:
        keys = [
            _key(columns(key.column), key, is_null=is_null)
            for key, is_null in zip(shape.order, shape.nulls, strict=True)
        ]
        conditions.append(_beyond(keys, inclusive=shape.inclusive))
    columns_in_order = [(columns(key.column), key.descending) for key in shape.order]
    order = [
        column.desc() if descending else column.asc() for column, descending in columns_in_order
    ]
    limit = bindparam("limit", type_=Integer)
    return statement.where(*conditions).order_by(None).order_by(*order).limit(limit)


def _columns(statement: Select[*Anything]) -> Callable[[str], Any]:
    """Return a function that finds the column of a list by its name, in what is selected."""
    parts = statement.column_descriptions

    def find(name: str) -> Any:  # noqa: ANN401 - a column
        for part in parts:
            expression = part["expr"]
            if mapper := mapper_of(expression):
                if name in mapper.column_attrs:
                    return getattr(expression, name)
            elif part["name"] == name:
                return expression.element if isinstance(expression, Label) else expression
        raise TypeError(f"the statement of a list selects no column {name!r}: label one so")

    return find


def mapper_of(expression: object) -> Mapper[Any] | None:
    """Return the mapper of a mapped class, or of an alias of one; None for anything else."""
    inspected: Any = inspect(expression, raiseerr=False)
    for kind in ("is_mapper", "is_aliased_class"):
        if getattr(inspected, kind, False):
            mapper: Mapper[Any] = inspected.mapper
            return mapper
    return None


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
    """Return the condition for rows beyond `key`, or equal to it and beyond `next_keys`."""
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


def _key(column: Any, key: SortKey, *, is_null: bool) -> _Key:  # noqa: ANN401 - any column
    value: BindParameter[Any] = bindparam(_position_name(key), type_=_bound_type(column.type))
    # What has no column of its own, such as the result of a function, may be null.
    nullable = getattr(column, "nullable", True)
    return _Key(column, value, key.descending, nullable, is_null)


def _position_name(key: SortKey) -> str:
    return f"{key.column}__position"


def _bound_type(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type of a value to compare with: a column's type may round it, or refuse it."""
    if type(kind) is Numeric:
        return Numeric()
    if isinstance(kind, Integer):
        return BigInteger()
    return kind
