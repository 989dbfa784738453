"""Compare and write the server defaults of columns for `make migration`."""

from functools import cache
from typing import Any, Final, Literal

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import AlterColumnOp
from alembic.runtime.plugins import Plugin
from alembic.util import CommandError, PriorityDispatchResult
from sqlalchemy import Column, Computed, Connection, DefaultClause, MetaData, Table, bindparam, text
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql import ClauseElement, TextClause

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
