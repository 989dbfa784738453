"""The comparison of `make migration`, server defaults included, and its additions to revisions."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, Final, Literal

import alembic_postgresql_enum
from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.operations.ops import AlterColumnOp
from alembic.runtime.plugins import Plugin
from alembic.util import CommandError, PriorityDispatchResult
from alembic_postgresql_enum.configuration import get_configuration
from alembic_postgresql_enum.operations.add_enum_values import AddEnumValuesOp
from alembic_postgresql_enum.operations.sync_enum_values import SyncEnumValuesOp
from sqlalchemy import (
    Column,
    Computed,
    Connection,
    DefaultClause,
    MetaData,
    Table,
    bindparam,
    inspect,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql import ClauseElement, TextClause

EXCEPTION: Final = "except"
"""The name of Alembic's option `-x` for objects to ignore, such as `index a.b.c`."""

KINDS: Final = {
    "table": "table",
    "column": "column",
    "index": "index",
    "unique_constraint": "constraint",
    "foreign_key_constraint": "constraint",
}
LITERAL: Final = re.compile(r"'((?:[^']|'')*)'::")

NAME: Final = f"{__name__}.comparison"
"""Name of the Alembic plugin that compares server defaults."""

PROBE: Final = "server_default_probe"
EXPRESSION: Final = text(
    "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef "
    "JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum "
    "WHERE attrelid = CAST(CAST(:table AS text) AS regclass) AND attname = :column"
).bindparams(bindparam("table"), bindparam("column"))

PARAMETER: Final = (
    "A colon in the server default of {} makes {!r} a parameter: write `\\:` for a colon in "
    "`text()`, or give a plain value as a string without `text()`."
)


def options(metadata: MetaData, connection: Connection | None) -> dict[str, Any]:
    """Return the options for Alembic's comparison of the database with the models.

    It compares only the schemas of the models, without objects in the exceptions.
    """
    arguments = (item.partition("=") for item in context.get_x_argument())
    exceptions = [pattern for name, _, pattern in arguments if name == EXCEPTION]
    schemas = {table.schema for table in metadata.tables.values()} - {None}
    default = inspect(connection).default_schema_name if connection is not None else "public"

    def is_excepted(name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in exceptions)

    def include_name(name: str | None, kind: str, _: object) -> bool:
        return kind != "schema" or name is None or name in schemas

    def include_object(item: Any, name: str | None, kind: str, *_: object) -> bool:  # noqa: ANN401 - a schema item
        if kind not in KINDS:
            return True
        table = item if kind == "table" else item.table
        parts = [table.schema or default, table.name, *([name] if kind != "table" else [])]
        return not is_excepted(f"{KINDS[kind]} {'.'.join(map(str, parts))}")

    def include_type(name: str) -> bool:
        return not any(is_excepted(f"type {schema}.{name}") for schema in {default, *schemas})

    alembic_postgresql_enum.set_configuration(
        replace(get_configuration(), include_name=include_type)
    )
    return {
        "include_schemas": bool(schemas),
        "include_name": include_name,
        "include_object": include_object,
        "autogenerate_plugins": ["alembic.autogenerate.*", plugin()],
        "render_item": render,
        "process_revision_directives": _additions(connection),
    }


def _additions(connection: Connection | None) -> Callable[..., None]:
    """Return a function that adds operations to a revision before it is written."""

    def add(_: object, __: object, directives: Sequence[ops.MigrationScript]) -> None:
        if connection is None:
            return
        existing = {*inspect(connection).get_schema_names()}
        for script in directives:
            for upgrade, downgrade in zip(
                script.upgrade_ops_list, script.downgrade_ops_list, strict=True
            ):
                _add_schemas(upgrade, downgrade, existing)
                _place_new_values(upgrade)
                _replace_removed_values(downgrade)

    return add


def _add_schemas(upgrade: ops.UpgradeOps, downgrade: ops.DowngradeOps, existing: set[str]) -> None:
    """Create the schemas of new tables, and drop them in the downgrade."""
    new = {op.schema for op in upgrade.ops if isinstance(op, ops.CreateTableOp) and op.schema}
    for schema in sorted(new - existing):
        upgrade.ops.insert(0, ops.ExecuteSQLOp(f"CREATE SCHEMA {quote(schema)}"))
        downgrade.ops.append(ops.ExecuteSQLOp(f"DROP SCHEMA {quote(schema)}"))


def _place_new_values(upgrade: ops.UpgradeOps) -> None:
    """Add values to an enum in the order of the model.

    The operation of alembic-postgresql-enum 1.11 adds each value in the wrong position.
    """
    for position, op in reversed([*enumerate(upgrade.ops)]):
        if isinstance(op, AddEnumValuesOp):
            upgrade.ops[position : position + 1] = [
                ops.ExecuteSQLOp(sql) for sql in _new_values(op)
            ]


def _new_values(op: AddEnumValuesOp) -> list[str]:
    statements = []
    name = f"{quote(op.schema)}.{quote(op.name)}"
    for position, value in enumerate(op.new_values):
        if value not in op.old_values:
            following = [old for old in op.new_values[position:] if old in op.old_values]
            place = f" BEFORE {_text(following[0])}" if following else ""
            statements.append(f"ALTER TYPE {name} ADD VALUE {_text(value)}{place}")
    return statements


def _replace_removed_values(downgrade: ops.DowngradeOps) -> None:
    """Replace enum values in rows before a downgrade removes them from the type."""
    for position, op in reversed([*enumerate(downgrade.ops)]):
        if isinstance(op, SyncEnumValuesOp):
            downgrade.ops[position:position] = [ops.ExecuteSQLOp(sql) for sql in _replacements(op)]


def _replacements(op: SyncEnumValuesOp) -> list[str]:
    statements = []
    for value in (old for old in op.old_values if old not in op.new_values):
        for column in op.affected_columns:
            default = LITERAL.match(column.existing_server_default or "")
            old_default = default[1].replace("''", "'") if default else ""
            new = _text(old_default if old_default in op.new_values else op.new_values[0])
            name, old = quote(column.column_name), _text(value)
            table = ".".join(map(quote, filter(None, [column.table_schema, column.table_name])))
            is_array = column.column_type.name == "ARRAY"
            change = f"array_replace({name}, {old}, {new})" if is_array else new
            condition = f"{old} = ANY ({name})" if is_array else f"{name} = {old}"
            statements.append(f"UPDATE {table} SET {name} = {change} WHERE {condition}")  # noqa: S608 - names and values are quoted
    return statements


def quote(name: str) -> str:
    """Return a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    """Return a quoted SQL string for `op.execute`, which reads `:name` as a parameter."""
    return "'" + value.replace("'", "''").replace(":", "\\:") + "'"


@cache
def plugin() -> str:
    """Register the plugin once, and return its name."""
    Plugin(NAME).add_autogenerate_comparator(_compare, "column", "server_default")
    return NAME


def _compare(  # noqa: PLR0913, PLR0917 - the arguments that Alembic gives
    context: AutogenContext,
    change: AlterColumnOp,
    schema: str | None,
    table: str,
    column: str,
    existing: Column[Any],
    modelled: Column[Any],
) -> PriorityDispatchResult:
    """Compare two server defaults as PostgreSQL parses them.

    Alembic compares their values instead. JSON has no equality, and a function may return another
    value each time.
    """
    old, new = existing.server_default, modelled.server_default
    connection = context.connection
    if not (isinstance(old, DefaultClause) and isinstance(new, DefaultClause)) or not connection:
        return PriorityDispatchResult.CONTINUE
    change.existing_server_default = old
    names = connection.dialect.identifier_preparer
    name = names.format_table(Table(table, MetaData(), schema=schema))
    expression = connection.scalar(EXPRESSION, {"table": name, "column": column})
    if expression != _parsed(connection, Column("value", modelled.type, DefaultClause(new.arg))):
        change.modify_server_default = new
    return PriorityDispatchResult.STOP


def _parsed(connection: Connection, column: Column[Any]) -> str | None:
    """Return a column's default as PostgreSQL parses it; None if its type or function is new."""
    table = Table(PROBE, MetaData(), column, prefixes=["TEMPORARY"])
    savepoint = connection.begin_nested()
    try:
        connection.execute(CreateTable(table))
        names = {"table": f"pg_temp.{PROBE}", "column": column.name}
        return connection.execute(EXPRESSION, names).scalar_one_or_none()
    except DBAPIError:
        return None
    finally:
        savepoint.rollback()


def render(kind: str, item: Any, context: AutogenContext) -> str | Literal[False]:  # noqa: ANN401 - a schema item
    """Return the code of a server default for a revision.

    Raises:
        CommandError: `text()` would read a part of the default as a parameter.
    """
    dialect = context.migration_context.dialect
    if kind == "server_default" and isinstance(item, DefaultClause):
        if isinstance(item.arg, str):
            return repr(str.__str__(item.arg))  # the value of an enum's member, not its name
        if not item.reflected and (names := _unset_parameters(item.arg, dialect)):
            raise CommandError(PARAMETER.format(item.column, f":{names[0]}"))
        return _element(_sql(item.arg, dialect), dialect)
    if kind == "server_default" and isinstance(item, Computed):
        sql = _sql(item.sqltext, dialect)
        if not _is_text(sql, dialect):
            return f"sa.Computed({_element(sql, dialect)}, persisted={item.persisted!r})"
    return False


def _sql(expression: ClauseElement, dialect: Dialect) -> str:
    if isinstance(expression, TextClause) and _unset_parameters(expression, dialect):
        # It was read from the database, where a colon has no special meaning.
        return expression.text
    return str(expression.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def _unset_parameters(expression: ClauseElement, dialect: Dialect) -> list[str]:
    parameters = expression.compile(dialect=dialect).params
    return [name for name, value in parameters.items() if value is None]


def _is_text(sql: str, dialect: Dialect) -> bool:
    """Return whether `text()` leaves the SQL unchanged: it reads `:name` as a parameter."""
    return str(text(sql).compile(dialect=dialect)) == sql


def _element(sql: str, dialect: Dialect) -> str:
    return f"sa.{'text' if _is_text(sql, dialect) else 'literal_column'}({sql!r})"
