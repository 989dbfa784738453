"""Runs Alembic on asyncpg: from the command line, from tests, and when the service starts."""

import asyncio
import logging
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

from alembic import command, context
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import BigInteger, Connection, MetaData, bindparam, pool, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ..config.errors import InvalidSettingsError
from ..feature import StartError
from . import autogenerate
from .engine import create_engine
from .errors import DatabaseUnavailable
from .feature_tables import is_upgrade, print_all, upgrade_all
from .migration_failure import describe, is_of_a_revision
from .migration_statements import following
from .revision import ROOT, histories
from .settings import migration_url

LOCK_TIMEOUT = "5s"
"""How long a migration waits for a lock on a table: waiting blocks the requests behind it."""

UNREACHABLE = "The database cannot be used: {}. Start its server, or correct its URL."
BEHIND = (
    "The database needs revisions that are already written before a new one can be compared with "
    "it: run `make migrate`, then try again."
)

MIGRATION_LOCK = 0x6D696772617465
"""Key of the advisory lock that one migrating replica holds ("migrate" in ASCII)."""

UNSHARED = {
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": lambda: f"migrate_{uuid4().hex}",
}
"""Unique names of prepared statements, which do not collide behind a pooler."""

LOCK = text(f"SELECT pg_try_advisory_xact_lock({MIGRATION_LOCK})")
LOCK_HOLDER = text(
    "SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database "
    "WHERE locktype = 'advisory' AND granted AND datname = current_database() "
    "AND classid::bigint << 32 | objid::bigint = :key"
).bindparams(bindparam("key", MIGRATION_LOCK, BigInteger))
LOCK_POLL = 0.25
"""Seconds between two attempts to get the lock."""

LOCK_LOG_INTERVAL = 30.0
"""Seconds between two log lines while we wait for the lock."""

WAITING = "Another process%s migrates the database: waiting until it is done."
AHEAD = "The schema is at %s, which a newer version of the service made: nothing to migrate."

logger = logging.getLogger(__name__)


class CannotMigrateError(StartError):
    """The database is unreachable, or a migration failed: the message says why and what to do."""

    def __init__(self, message: str, what: str = "a migration") -> None:
        super().__init__(message)
        self.what = what


def alembic_config(
    database_url: str | None = None,
    *,
    directory: Path | None = None,
    migrations: str = "migrations",
) -> Config:
    """Return Alembic's configuration for this service.

    Args:
        database_url: the database to migrate; by default the one in the settings.
        directory: contains `alembic.ini` and `migrations`; by default the service's root.
        migrations: the folder of the database's migrations in there.
    """
    root = directory or ROOT
    config = Config(root / "alembic.ini")
    config.set_main_option("script_location", str(root / migrations).replace("%", "%%"))
    config.attributes["database_url"] = database_url
    return config


def run_env(
    metadata: MetaData, default_url: Callable[[], str], *, feature_tables: bool = True
) -> None:
    """Run Alembic's command; `migrations/env.py` calls this.

    A connection in `config.attributes["connection"]` is used as it is, so that migrations can run
    inside a running event loop. Otherwise we connect to `config.attributes["database_url"]`, or to
    the database in the settings.

    Args:
        metadata: the models' tables.
        default_url: returns the URL in the settings.
        feature_tables: also create the tables of the service's features: in its first database.
    """
    attributes = context.config.attributes
    attributes["feature_tables"] = feature_tables
    connection: Connection | None = attributes.get("connection")
    if context.is_offline_mode():
        _run(metadata, dialect_name="postgresql", literal_binds=True)
    elif connection is not None:
        _run(metadata, connection=connection)
    else:
        logging.basicConfig(format="%(message)s")
        logging.getLogger("alembic.runtime.migration").setLevel(logging.INFO)
        try:
            url = attributes.get("database_url") or default_url()
            folder = Path(context.script.dir)
            asyncio.run(_connect_and(lambda sync: _run(metadata, connection=sync), url, folder))
        except (InvalidSettingsError, CannotMigrateError) as error:
            if context.config.cmd_opts is not None:
                sys.exit(str(error))
            raise CommandError(str(error)) from None


async def upgrade(
    config: Config, revision: str = "head", *, connection: AsyncConnection | None = None
) -> None:
    """Upgrade the schema to `revision`; replicas that start together wait for each other.

    Raises:
        CannotMigrateError: the database is unreachable, or a migration failed.
    """
    await _command(command.upgrade, config, revision, connection)


async def downgrade(
    config: Config, revision: str, *, connection: AsyncConnection | None = None
) -> None:
    """Downgrade the schema to `revision`.

    Raises:
        CannotMigrateError: the database is unreachable, or a migration failed.
    """
    await _command(command.downgrade, config, revision, connection)


def _run(metadata: MetaData, **options: Any) -> None:  # noqa: ANN401 - those of context.configure
    connection: Connection | None = options.get("connection")
    if connection is None:
        _migrate(metadata, **options)
        return
    with following(connection) as statements:
        _migrate(metadata, on_version_apply=statements.begin_revision, **options)


def _migrate(metadata: MetaData, **options: Any) -> None:  # noqa: ANN401 - those of context.configure
    context.configure(
        target_metadata=metadata,
        compare_server_default=True,
        transaction_per_migration=True,
        **autogenerate.options(metadata, options.get("connection")),
        **options,
    )
    if is_upgrade():
        if context.config.attributes["feature_tables"]:
            _upgrade_features(options.get("connection"), options.get("on_version_apply"))
        if _is_ahead():
            return
    with context.begin_transaction():
        context.run_migrations()


def _upgrade_features(connection: Connection | None, on_version_apply: Any) -> None:  # noqa: ANN401 - Alembic's callback
    if connection is None:
        print_all(context.config.output_buffer or sys.stdout)
        return
    is_in_transaction = connection.in_transaction()
    upgrade_all(connection, on_version_apply)
    if not is_in_transaction:
        connection.commit()
    on_version_apply()


def _is_ahead() -> bool:
    """Return whether a newer version of the service migrated the database, and log it."""
    if context.is_offline_mode():
        return False
    known_revisions = {script.revision for script in context.script.walk_revisions()}
    newer_revisions = set(context.get_context().get_current_heads()) - known_revisions
    if newer_revisions:
        logger.warning(AHEAD, ", ".join(sorted(newer_revisions)))
    return bool(newer_revisions)


async def _command(
    run: Callable[[Config, str], None],
    config: Config,
    revision: str,
    connection: AsyncConnection | None,
) -> None:
    def work(sync: Connection) -> None:
        config.attributes["connection"] = sync
        try:
            run(config, revision)
        finally:
            del config.attributes["connection"]

    if connection is not None:
        await connection.run_sync(work)
    else:
        url = config.attributes["database_url"] or _settings_url()
        await _connect_and(work, url, Path(ScriptDirectory.from_config(config).dir))


def _settings_url() -> str:
    """Return the URL of the database in the settings of this process."""
    # Imported by name: the service imports this package, and not the other way round.
    settings = import_module(f"{__name__.partition('.')[0]}.settings").Settings
    return migration_url(settings)


async def _connect_and(action: Callable[[Connection], None], url: str, folder: Path) -> None:
    engine = create_engine(url, poolclass=pool.NullPool, connect_args=UNSHARED)
    try:
        # A second connection holds the lock in a transaction, so that it cannot stay behind in a
        # pooler. The transaction has no snapshot, for which CREATE INDEX CONCURRENTLY would wait.
        async with engine.connect() as lock_connection, engine.connect() as connection:
            await _wait_for_turn(lock_connection)
            await connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
            await connection.commit()
            await connection.run_sync(action)
            await connection.commit()
    except DatabaseUnavailable as error:
        raise CannotMigrateError(UNREACHABLE.format(error)) from error
    except CommandError as error:
        is_behind = str(error) == "Target database is not up to date."
        raise CannotMigrateError(BEHIND if is_behind else str(error)) from error
    except Exception as error:
        folders = [folder, *(history.folder for history in histories())]
        if is_of_a_revision(error, folders):
            failure = describe(error, folders)
            raise CannotMigrateError(failure.message, failure.what) from error
        raise
    finally:
        await engine.dispose()


async def _takes_turn(connection: AsyncConnection) -> bool:
    is_locked = bool(await connection.scalar(LOCK))
    # A SELECT keeps its portal and the portal's snapshot until the next statement, so that
    # CREATE INDEX CONCURRENTLY would wait for this transaction. A SET takes no snapshot.
    await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    return is_locked


async def _wait_for_turn(connection: AsyncConnection) -> None:
    """Wait until no other process migrates the database, for as long as it takes."""
    seconds = 0.0
    # Polling holds no snapshot, for which CREATE INDEX CONCURRENTLY would wait.
    while not await _takes_turn(connection):
        if seconds % LOCK_LOG_INTERVAL == 0:
            holder = await connection.scalar(LOCK_HOLDER)
            logger.warning(WAITING, f" (server process {holder})" if holder else "")
        await connection.rollback()
        await asyncio.sleep(LOCK_POLL)
        seconds += LOCK_POLL
