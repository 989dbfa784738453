"""Makes the tables of features, by the revisions in their histories."""

from collections.abc import Callable
from typing import Any

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from .revision import SCHEMA, History, histories


def upgrade_all(connection: Connection, on_version_apply: Callable[..., None]) -> None:
    """Bring the tables of every feature to their newest revision.

    Tables that a newer version of the service migrated stay as they are.
    """
    found = histories()
    if not found:
        return
    if not connection.scalar(text(f"SELECT to_regnamespace('{SCHEMA}')::text")):
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    for history in found:
        _upgrade(history, on_version_apply, connection=connection)


def print_all(output: Any) -> None:  # noqa: ANN401 - a text file
    """Print the SQL that makes the tables of every feature in an empty database."""
    found = histories()
    if found:
        output.write(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA};\n\n")
    for history in found:
        _upgrade(history, dialect_name="postgresql", as_sql=True, output_buffer=output)


def _upgrade(
    history: History,
    on_version_apply: Callable[..., None] | None = None,
    **options: Any,  # noqa: ANN401 - those of MigrationContext.configure
) -> None:
    scripts = ScriptDirectory(str(history.folder), version_locations=[str(history.folder)])
    output = {key: options.pop(key) for key in ("as_sql", "output_buffer") if key in options}

    def steps(current: Any, _: MigrationContext) -> Any:  # noqa: ANN401 - a private function's
        if any(history.revisions.is_ahead(revision) for revision in current):
            return ()
        return scripts._upgrade_revs("head", current)  # noqa: SLF001

    context = MigrationContext.configure(
        **options,
        opts={
            **output,
            "fn": steps,
            "on_version_apply": [on_version_apply] if on_version_apply else [],
            "version_table": history.version_table,
            "version_table_schema": SCHEMA,
            "script": scripts,
            "literal_binds": "as_sql" in output,
        },
    )
    with Operations.context(context), context.begin_transaction():
        context.run_migrations()
