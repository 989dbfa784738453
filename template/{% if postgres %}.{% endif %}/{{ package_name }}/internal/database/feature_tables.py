"""Creates the tables of features, by the revisions in their histories.

Alembic has no public way to run a second history beside `env.py`, or to tell an upgrade from other
commands in it. Only this module uses its internals; pyproject.toml limits Alembic to the minor
version that it was tested with.
"""

from collections.abc import Callable
from typing import Any

from alembic import command, context
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from .revision import SCHEMA, History, histories


def is_upgrade() -> bool:
    """Return whether Alembic runs an upgrade: no other command touches the tables of features.

    Alembic runs a function that is defined in `command.upgrade`, whatever called that.
    """
    steps = context.get_context().opts.get("fn")
    return getattr(steps, "__qualname__", "").startswith(f"{command.upgrade.__qualname__}.")


def upgrade_all(connection: Connection, on_version_apply: Callable[..., None]) -> None:
    """Upgrade the tables of every feature to their newest revision.

    Tables that a newer version of the service migrated stay as they are.
    """
    if not histories():
        return
    if not connection.scalar(text(f"SELECT to_regnamespace('{SCHEMA}')::text")):
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    for history in histories():
        _upgrade(history, on_version_apply, connection=connection)


def print_all(output: Any) -> None:  # noqa: ANN401 - a text file
    """Print the SQL that creates the tables of every feature in an empty database."""
    if histories():
        output.write(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA};\n\n")
    for history in histories():
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

    migration = MigrationContext.configure(
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
    with Operations.context(migration), migration.begin_transaction():
        migration.run_migrations()
