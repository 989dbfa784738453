"""What each column of a statement is to a schema, worked out once for each form of statement."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import asyncpg
from pydantic import BaseModel
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Dialect,
    Executable,
    Label,
    Select,
    TextClause,
    TextualSelect,
)
from sqlalchemy.orm import ColumnProperty, Mapper
from sqlalchemy.types import NullType, TypeEngine

from ..lists.statements import mapper_of

RowReader = Callable[[asyncpg.Record], Any]

NESTING: Final = "."
"""Separates an entity from its column, in the label of a column of a nested schema."""

UNNAMED: Final = "_no_label"
"""SQLAlchemy's name of an expression without a name."""


class UnreadableStatementError(TypeError):
    """A statement does not fit the schema of its rows, or gives what only a session can load."""


class Layout(NamedTuple):
    """How to read the rows of a statement, or which columns to select instead."""

    read: RowReader | None
    columns: Sequence[ColumnElement[Any]] = ()

    def instead(self, statement: Any) -> Executable:  # noqa: ANN401 - a Select of any columns
        """Return the statement with these columns instead of its own."""
        selected: Executable = statement.with_only_columns(*self.columns)
        return selected


class _Column(NamedTuple):
    name: str
    kind: TypeEngine[Any]


def layout_of(
    statement: Executable,
    schema: type[BaseModel] | None,
    given: Sequence[asyncpg.Attribute],
    dialect: Dialect,
) -> Layout:
    """Return the layout of a statement.

    Args:
        statement: as the caller wrote it.
        schema: the schema of its rows; None to read the first column only.
        given: the columns of its rows, as the server describes them.
        dialect: of the connection.

    Raises:
        UnreadableStatementError: the statement does not fit the schema.
    """
    columns = _columns(statement, schema, given)
    if isinstance(columns, Layout):
        return columns
    processors = [
        column.kind.dialect_impl(dialect).result_processor(dialect, attribute.type.oid)
        for column, attribute in zip(columns, given, strict=True)
    ]
    if schema is None:
        return Layout(_value_reader(processors[0] if processors else None))
    names = [column.name for column in columns]
    _check_names(names, schema)
    return Layout(_row_reader(names, processors, schema))


def _columns(
    statement: Executable, schema: type[BaseModel] | None, given: Sequence[asyncpg.Attribute]
) -> list[_Column] | Layout:
    """Return the columns of a statement in their order, or a layout with other columns."""
    if isinstance(statement, TextClause):
        return [_Column(attribute.name, NullType()) for attribute in given]
    if isinstance(statement, CompoundSelect | TextualSelect):
        return [_Column(name, column.type) for name, column in statement.exported_columns.items()]
    if not isinstance(statement, Select):
        raise UnreadableStatementError(
            f"a reader runs SELECT statements: give it a select(), not a {type(statement).__name__}"
        )
    parts = [
        _Part(part["name"], part["expr"], part["type"]) for part in statement.column_descriptions
    ]
    if all(part.mapper is None for part in parts):
        return [_Column(part.label, part.kind) for part in parts]
    if schema is None:
        raise UnreadableStatementError(
            "scalar reads a value: select a column, or read the entity with `one` and a schema"
        )
    if len(parts) == 1 and (columns := parts[0].columns_as_given(given, schema)):
        return columns
    labelled = [column for part in parts for column in part.labelled(schema)]
    _refuse_same_names([column.name for column in labelled], schema)
    return Layout(None, labelled)


class _Part(NamedTuple):
    """What a SELECT names: a column, a mapped class, or an alias of one."""

    name: str
    expression: Any
    kind: TypeEngine[Any]

    @property
    def mapper(self) -> Mapper[Any] | None:
        """The mapper of an entity; None for a column."""
        return mapper_of(self.expression)

    @property
    def label(self) -> str:
        """The name of a column."""
        if getattr(self.expression, "is_bundle", False) or not self.name or self.name == UNNAMED:
            raise UnreadableStatementError(
                f"{self.expression} has no name: give it one with .label()"
            )
        return self.name

    def columns_as_given(
        self, given: Sequence[asyncpg.Attribute], schema: type[BaseModel]
    ) -> list[_Column] | None:
        """Return the columns of an entity in the order of the rows, if these are exactly all."""
        by_name = {one.columns[0].name: one for one in self._attributes(schema)}
        names = [attribute.name for attribute in given]
        if sorted(by_name) != sorted(names):
            return None  # such as the columns of another entity, loaded with this one
        found = (by_name[name] for name in names)
        return [_Column(one.key, one.columns[0].type) for one in found]

    def labelled(self, schema: type[BaseModel]) -> Iterator[Label[Any]]:
        """Yield the columns, labelled with the names of the fields that they fill."""
        if self.mapper is None:
            yield self.expression.label(self.label)
            return
        prefix = f"{self.name}{NESTING}" if self.name in schema.model_fields else ""
        for one in self._attributes(schema):
            yield getattr(self.expression, one.key).label(prefix + one.key)

    def _attributes(self, schema: type[BaseModel]) -> list[ColumnProperty[Any]]:
        """Return the mapped columns: deferred ones only if a field of the schema is called so."""
        attributes = self.mapper.column_attrs if self.mapper else ()
        return [one for one in attributes if not one.deferred or one.key in schema.model_fields]


def _refuse_same_names(names: Sequence[str], schema: type[BaseModel]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UnreadableStatementError(
            f"the statement gives {twice[0]!r} twice: label one of them differently, or give "
            f"{schema.__name__} a field for each entity, named as its class"
        )


def _check_names(names: Sequence[str], schema: type[BaseModel]) -> None:
    _refuse_same_names(names, schema)
    top = {name.partition(NESTING)[0] for name in names}
    for name, field in schema.model_fields.items():
        known = {name, field.alias, field.validation_alias}
        is_plain = field.validation_alias is None or isinstance(field.validation_alias, str)
        if field.is_required() and is_plain and not known & top:
            raise UnreadableStatementError(
                f"the statement gives no {name!r}, which {schema.__name__} needs. Select a column "
                "of this name, or label one so: relationships and properties of a model are none."
            )


def _value_reader(process: Callable[[Any], Any] | None) -> RowReader:
    def read(record: asyncpg.Record) -> Any:  # noqa: ANN401 - the value of any column
        return process(record[0]) if process else record[0]

    return read


def _row_reader(
    names: Sequence[str],
    processors: Sequence[Callable[[Any], Any] | None],
    schema: type[BaseModel],
) -> RowReader:
    changes = [(place, process) for place, process in enumerate(processors) if process]
    nested = {name.partition(NESTING)[0] for name in names if NESTING in name}

    def read(record: asyncpg.Record) -> BaseModel:
        values = list(record)
        for place, process in changes:
            values[place] = process(values[place])
        row = dict(zip(names, values, strict=True))
        return schema.model_validate(_nest(row, nested) if nested else row)

    return read


def _nest(row: dict[str, Any], entities: Iterable[str]) -> dict[str, Any]:
    """Put the columns of each entity into a dictionary; None for one that an outer join omits."""
    parts: dict[str, Any] = {name: {} for name in entities}
    for name, value in row.items():
        entity, _, attribute = name.partition(NESTING)
        if attribute:
            parts[entity][attribute] = value
        else:
            parts[name] = value
    for entity in entities:
        if all(value is None for value in parts[entity].values()):
            parts[entity] = None
    return parts
