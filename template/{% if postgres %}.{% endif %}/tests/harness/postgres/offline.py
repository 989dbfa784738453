"""The SQL of migrations, without a database."""

import io

from alembic import command
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script, ScriptDirectory

from tests.harness.postgres import service


def history() -> str:
    """Return the SQL of all revisions, as `alembic upgrade heads --sql` prints it."""
    config = service.alembic_config()
    config.output_buffer = output = io.StringIO()
    command.upgrade(config, "heads", sql=True)
    return output.getvalue()


def revision(script: Script) -> str:
    """Return the SQL of one revision alone, in its transaction."""
    config = service.alembic_config()
    output = io.StringIO()
    scripts = ScriptDirectory.from_config(config)
    with EnvironmentContext(config, scripts, as_sql=True) as environment:
        environment.configure(
            dialect_name="postgresql",
            output_buffer=output,
            literal_binds=True,
            target_metadata=service.metadata,
            transaction_per_migration=True,
        )
        context = environment.get_context()
        with context.begin_transaction(_per_migration=True), Operations.context(context):
            script.module.upgrade()
    return output.getvalue()
