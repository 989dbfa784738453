"""Reads a page from models in memory."""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from operator import eq, ge, gt, le, lt
from typing import Any, Final, TypeVar

from .query import ListPage, ListQuery, Operator, SortKey

Item = TypeVar("Item")

TESTS: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = {
    Operator.EQUAL: eq,
    Operator.ONE_OF: lambda value, allowed: value in allowed,
    Operator.GTE: ge,
    Operator.GT: gt,
    Operator.LTE: le,
    Operator.LT: lt,
    Operator.STARTS_WITH: str.startswith,
}


class _Descending:
    """A value that sorts before smaller ones."""

    def __init__(self, value: tuple[bool, Any]) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __lt__(self, other: "_Descending") -> bool:
        return other._value < self._value


def read_page(models: Iterable[Item], query: ListQuery) -> ListPage[Item]:
    """Return the page of models that a query asks for."""
    order = query.read_order

    def sort_key(model: Item) -> list[Any]:
        return _sort_key((getattr(model, key.column) for key in order), order)

    matches = sorted((model for model in models if _matches(model, query)), key=sort_key)
    if query.start is not None:
        start = _sort_key(query.start.values, order)
        if query.start.inclusive:
            matches = [model for model in matches if not sort_key(model) < start]
        else:
            matches = [model for model in matches if start < sort_key(model)]
    return query.page(matches[: query.limit + 1])


def _matches(model: object, query: ListQuery) -> bool:
    return all(
        (value := getattr(model, column)) is not None and TESTS[operator](value, query.values[name])
        for name, column, operator in query.filters
    )


def _sort_key(values: Iterable[Any], order: Iterable[SortKey]) -> list[Any]:
    ranks = map(_rank, values)
    return [
        _Descending(rank) if key.descending else rank
        for rank, key in zip(ranks, order, strict=True)
    ]


def _rank(value: object) -> tuple[bool, Any]:
    """Return what a value sorts by: null comes last, an enum in the order of its members."""
    if isinstance(value, Enum):
        return False, list(type(value)).index(value)
    return value is None, value
