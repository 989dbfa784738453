"""Finds the indexes that a list needs and its table does not have."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Index, Table, UniqueConstraint

PATTERN_OPERATORS = ("text_pattern_ops", "varchar_pattern_ops")
BYTE_ORDER = ("C", "POSIX", "ucs_basic")
"""Collations that sort by bytes: with them an ordinary index finds texts by their start."""


def missing_indexes(
    table: Table, sorts: Sequence[Sequence[str]], starts_with: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield the name of each list that has no index, and the index that it needs.

    Args:
        table: the table.
        sorts: the sorts, each as its columns; `-` stands before those that descend.
        starts_with: columns that are searched by the start of a text.
    """
    indexes = [_columns(index) for index in table.indexes if _is_whole(index)]
    unique = {tuple(column.name for column in table.primary_key)}
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            unique.add(tuple(column.name for column in constraint.columns))
    for sort in sorts:
        columns = _with_id(tuple(sort))
        backwards = tuple(_reversed(column) for column in columns)
        indexed = any(index[: len(columns)] in {columns, backwards} for index in indexes)
        if not indexed and not {columns, backwards, columns[:1], backwards[:1]} & unique:
            yield f"{table.name}.{','.join(sort)}", f"Index(None, {_arguments(columns)})"
    for column in starts_with:
        if not any(_finds_starts(index, table.c[column]) for index in table.indexes):
            options = f'postgresql_ops={{"{column}": "text_pattern_ops"}}'
            index = f'Index("ix_{table.name}_{column}_prefix", "{column}", {options})'
            yield f"{table.name}.{column}__startswith", index


def _with_id(sort: tuple[str, ...]) -> tuple[str, ...]:
    if {"id", "-id"} & {*sort}:
        return sort
    return (*sort, "-id" if sort[-1].startswith("-") else "id")


def _reversed(column: str) -> str:
    return column.removeprefix("-") if column.startswith("-") else f"-{column}"


def _arguments(columns: Sequence[str]) -> str:
    return ", ".join(
        f'text("{column[1:]} DESC")' if column.startswith("-") else f'"{column}"'
        for column in columns
    )


def _is_whole(index: Index) -> bool:
    """Say whether an index has every row, as one with a condition does not."""
    return index.dialect_kwargs.get("postgresql_where") is None


def _columns(index: Index) -> tuple[str, ...]:
    columns = (str(expression).rpartition(".")[2] for expression in index.expressions)
    return tuple(
        f"-{column.removesuffix(' DESC')}" if column.endswith(" DESC") else column
        for column in columns
    )


def _finds_starts(index: Index, column: Any) -> bool:  # noqa: ANN401 - any column
    if not _is_whole(index) or _columns(index)[0] != column.name:
        return False
    operators = index.dialect_kwargs.get("postgresql_ops") or {}
    collation = getattr(column.type, "collation", None)
    return operators.get(column.name) in PATTERN_OPERATORS or collation in BYTE_ORDER
