"""Lists that clients filter, sort and page through, whatever keeps the models."""

from .query import Filter, ListPage, ListQuery, Operator, Position, SortKey
from .schema import ListSchema, ParameterError

__all__ = [
    "Filter",
    "ListPage",
    "ListQuery",
    "ListSchema",
    "Operator",
    "ParameterError",
    "Position",
    "SortKey",
]
