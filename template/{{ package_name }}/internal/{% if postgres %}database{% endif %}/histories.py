"""Tables that belong to a feature of the template, and the revisions that make them.

They are in a schema of their own, so that the service's revisions and models know nothing of them.
Their history is the template's: a feature that is turned on years later brings its tables with the
next upgrade, whatever the service's own history looks like by then.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from .revision import SCHEMA

FEATURES = Path(__file__).parents[1]


@dataclass(frozen=True)
class History:
    """The revisions in one feature's folder `history`."""

    folder: Path

    @property
    def version_table(self) -> str:
        """The table that holds the revision that the database is at."""
        return f"{self.folder.parent.name}_version"

    @cached_property
    def scripts(self) -> ScriptDirectory:
        """The revisions, read once: they are files of the package, and asked for often."""
        return ScriptDirectory(str(self.folder), version_locations=[str(self.folder)])

    def upgrade(self, **options: Any) -> None:  # noqa: ANN401 - those of MigrationContext.configure
        """Bring the tables to the newest revision, or print the SQL that does."""
        scripts = self.scripts
        output = {key: options.pop(key) for key in ("as_sql", "output_buffer") if key in options}
        context = MigrationContext.configure(
            **options,
            opts={
                **output,
                "fn": lambda revision, _: scripts._upgrade_revs("head", revision),  # noqa: SLF001
                "version_table": self.version_table,
                "version_table_schema": SCHEMA,
                "script": scripts,
                "literal_binds": "as_sql" in output,
            },
        )
        with Operations.context(context), context.begin_transaction():
            context.run_migrations()


@cache
def histories() -> list[History]:
    """Return the histories of the features that this service has."""
    return [History(folder) for folder in sorted(FEATURES.glob("*/*/history"))]


def upgrade_all(connection: Connection) -> None:
    """Bring the tables of every feature to their newest revision."""
    found = histories()
    if not found:
        return
    if not connection.scalar(text(f"SELECT to_regnamespace('{SCHEMA}')::text")):
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    for history in found:
        history.upgrade(connection=connection)


def print_all(output: Any) -> None:  # noqa: ANN401 - a text file
    """Print the SQL that makes the tables of every feature in an empty database."""
    found = histories()
    if found:
        output.write(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA};\n\n")
    for history in found:
        history.upgrade(dialect_name="postgresql", as_sql=True, output_buffer=output)


async def outdated(connection: AsyncConnection) -> str | None:
    """Name what a feature's tables lack in this database, or return None."""
    for history in histories():
        table = f"{SCHEMA}.{history.version_table}"
        exists = await connection.scalar(text(f"SELECT to_regclass('{table}')::text"))
        current = None
        if exists:
            current = await connection.scalar(text(f"SELECT version_num FROM {table}"))  # noqa: S608
        head = history.scripts.get_current_head()
        if current != head:
            return f"{table} is at {current or 'no revision'}, this service needs {head}"
    return None
