"""Makes the tables of features, by the revisions in their histories."""

from typing import Any

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from .histories import History, histories
from .revision import SCHEMA


def upgrade_all(connection: Connection) -> None:
    """Bring the tables of every feature to their newest revision."""
    found = histories()
    if not found:
        return
    if not connection.scalar(text(f"SELECT to_regnamespace('{SCHEMA}')::text")):
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    for history in found:
        _upgrade(history, connection=connection)


def print_all(output: Any) -> None:  # noqa: ANN401 - a text file
    """Print the SQL that makes the tables of every feature in an empty database."""
    found = histories()
    if found:
        output.write(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA};\n\n")
    for history in found:
        _upgrade(history, dialect_name="postgresql", as_sql=True, output_buffer=output)


def _upgrade(history: History, **options: Any) -> None:  # noqa: ANN401 - those of MigrationContext.configure
    scripts = ScriptDirectory(str(history.folder), version_locations=[str(history.folder)])
    output = {key: options.pop(key) for key in ("as_sql", "output_buffer") if key in options}
    context = MigrationContext.configure(
        **options,
        opts={
            **output,
            "fn": lambda revision, _: scripts._upgrade_revs("head", revision),  # noqa: SLF001
            "version_table": history.version_table,
            "version_table_schema": SCHEMA,
            "script": scripts,
            "literal_binds": "as_sql" in output,
        },
    )
    with Operations.context(context), context.begin_transaction():
        context.run_migrations()
