"""The comparison of `make migration`, and its additions to written revisions."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Final

import alembic_postgresql_enum
from alembic import context
from alembic.operations import ops
from alembic_postgresql_enum.configuration import get_configuration
from alembic_postgresql_enum.operations.add_enum_values import AddEnumValuesOp
from alembic_postgresql_enum.operations.sync_enum_values import SyncEnumValuesOp
from sqlalchemy import Connection, MetaData, inspect

from . import server_defaults

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
        "autogenerate_plugins": ["alembic.autogenerate.*", server_defaults.plugin()],
        "render_item": server_defaults.render,
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
