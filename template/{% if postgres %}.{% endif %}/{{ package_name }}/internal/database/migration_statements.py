"""Track the statements of a migration, to report remaining changes and to build indexes.

`CREATE INDEX CONCURRENTLY` waits for every older transaction. A lock timeout would cancel it and
leave an INVALID index behind, which blocks the next attempt.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, event, text

NAME: Final = r'(?:"(?:[^"]|"")+"|[^\s".,;()]+)'
QUALIFIED: Final = rf"{NAME}(?:\.{NAME})?"
FLAGS: Final = re.IGNORECASE | re.VERBOSE

COMMENTS: Final = re.compile(r"\s*(?:--[^\n]*(?:\n|$)|/\*.*?\*/)", re.DOTALL)
CONCURRENT: Final = re.compile(
    r"""\s*(?:
        (?: create \s+ (?:unique\s+)? | drop \s+ ) index \s+ concurrently \b
        | reindex \b [^;]* \b concurrently \b
        | alter \s+ table \b .* \b detach \s+ partition \b .* \b concurrently \b
    )""",
    FLAGS | re.DOTALL,
)
BUILD: Final = re.compile(
    rf"""\s* create \s+ (?:unique\s+)? index \s+ concurrently \s+ (?:if\s+not\s+exists\s+)?
        (?P<name>{NAME}) \s+ on \s+ (?:only\s+)? (?P<table>{QUALIFIED})""",
    FLAGS,
)
REBUILD: Final = re.compile(
    rf"\s* reindex \b .*? \b (?:index|table) \s+ (?:concurrently\s+)? (?P<target>{QUALIFIED})",
    FLAGS | re.DOTALL,
)
QUESTIONS: Final = ("select", "set", "show")
"""Statements that change nothing in a migration."""

REMNANTS: Final = """
SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND c.relkind = 'i' AND {condition}
AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE index_relid = i.indexrelid)
"""
OF_BUILD: Final = text(
    REMNANTS.format(
        condition="i.indrelid = to_regclass(:table) AND ARRAY[c.relname::text] = parse_ident(:name)"
    )
)
OF_REBUILD: Final = text(
    REMNANTS.format(
        condition=r"c.relname ~ '_cc(new|old)\d*$' AND i.indrelid IN (to_regclass(:target), "
        "(SELECT indrelid FROM pg_index WHERE indexrelid = to_regclass(:target)))"
    )
)

logger = logging.getLogger(__name__)


class Statements:
    """The executed statements of one revision on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._done: list[str] = []
        self._committed: list[str] = []
        self._lock_timeout: str | None = None

    def begin_revision(self, **_: object) -> None:
        """Clear the statements. Alembic calls this after each revision."""
        self._done.clear()
        self._committed.clear()

    def explain(self, error: Exception) -> None:
        """Add a note to an error: which changes of the failed revision remain."""
        statement = str(getattr(error, "statement", None) or "")
        if self._committed:
            error.add_note("What it did before stays: " + "; ".join(map(_line, self._committed)))
        build = BUILD.match(_uncommented(statement))
        if build:
            error.add_note(
                f"It may have left the index {build['name']} INVALID: "
                "the next attempt drops such an index first."
            )
        elif not self._committed:
            error.add_note("It changed nothing: its transaction was rolled back.")

    def before(self, _connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        """Remove the lock timeout of a concurrent statement."""
        sql = _uncommented(statement)
        if CONCURRENT.match(sql) and self._is_outside_a_transaction():
            if self._lock_timeout is None:
                timeout = self._connection.exec_driver_sql("SHOW lock_timeout")
                self._lock_timeout = str(timeout.scalar_one())
                self._connection.exec_driver_sql("SET lock_timeout = 0")
            self._drop_remnants(sql)
        elif self._lock_timeout is not None and not sql.lower().startswith(QUESTIONS):
            limit, self._lock_timeout = self._lock_timeout, None
            self._connection.exec_driver_sql(f"SET lock_timeout = '{limit}'")

    def after(self, _connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        """Record a statement that changed the database."""
        sql = _uncommented(statement)
        # Changes of Alembic's own table do not count.
        if not sql.lower().startswith(QUESTIONS) and "alembic_version" not in sql:
            self._done.append(sql)

    def commit(self, _connection: Connection) -> None:
        """Record that the changes so far are committed."""
        self._committed += self._done
        self._done.clear()

    def _is_outside_a_transaction(self) -> bool:
        return self._connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"

    def _drop_remnants(self, statement: str) -> None:
        for name in self._remnants(statement):
            logger.warning("An interrupted build left the index %s INVALID: dropping it.", name)
            self._connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")

    def _remnants(self, statement: str) -> list[str]:
        """Return the INVALID indexes that an earlier attempt at this statement left."""
        build, rebuild = BUILD.match(statement), REBUILD.match(statement)
        if build:
            return [*self._connection.scalars(OF_BUILD, build.groupdict())]
        if rebuild:
            return [*self._connection.scalars(OF_REBUILD, rebuild.groupdict())]
        return []


@contextmanager
def following(connection: Connection) -> Iterator[Statements]:
    """Track the statements on a connection. Errors in the block list the remaining changes."""
    statements = Statements(connection)
    listeners: dict[str, Callable[..., None]] = {
        "before_cursor_execute": statements.before,
        "after_cursor_execute": statements.after,
        "commit": statements.commit,
    }
    for name, listener in listeners.items():
        event.listen(connection, name, listener)
    try:
        yield statements
    except Exception as error:
        statements.explain(error)
        raise
    finally:
        for name, listener in listeners.items():
            event.remove(connection, name, listener)


def _uncommented(statement: str) -> str:
    """Return a statement without the comments before it."""
    position = 0
    while match := COMMENTS.match(statement, position):
        position = match.end()
    return statement[position:].lstrip()


def _line(statement: str) -> str:
    return " ".join(statement.split()).rstrip(";")
