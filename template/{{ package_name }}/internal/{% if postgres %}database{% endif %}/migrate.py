"""Runs Alembic on asyncpg: from the command line, from tests, and when the service starts."""

import asyncio
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import alembic_postgresql_enum  # noqa: F401 - importing it teaches Alembic to change enum types
from alembic import command, context
from alembic.config import Config
from alembic.util import CommandError
from asyncpg import LockNotAvailableError
from sqlalchemy import Connection, MetaData, pool, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from ..config.errors import InvalidSettingsError
from ..feature import StartError
from .engine import create_engine
from .errors import DatabaseUnavailable
from .feature_tables import print_all, upgrade_all
from .revision import ROOT

LOCK_TIMEOUT = "5s"
"""How long a migration waits for a table before it gives up and lets the traffic go on."""

UNREACHABLE = "The database cannot be used: {}. Start its server, or correct its URL."
LOCKED = (
    f"A migration waited {LOCK_TIMEOUT} for a lock that another transaction holds, and gave up "
    "({}). Its revision changed nothing: try again when that transaction has ended."
)

MIGRATION_LOCK = 0x6D696772617465
"""Key of the advisory lock that only one migrating replica can hold ("migrate" in ASCII)."""

LOCK = text(f"SELECT pg_try_advisory_lock({MIGRATION_LOCK})")
LOCK_POLL = 0.2
"""Seconds between two attempts to get the lock."""


class CannotMigrateError(StartError):
    """The database is away, or busy: the message says which, and what to do."""


def alembic_config(database_url: str | None = None, *, directory: Path | None = None) -> Config:
    """Return Alembic's configuration for this service.

    Args:
        database_url: the database to migrate; that of the settings when left out.
        directory: where `alembic.ini` and `migrations` are; the service's root when left out.
    """
    root = directory or ROOT
    config = Config(root / "alembic.ini")
    config.set_main_option("script_location", str(root / "migrations").replace("%", "%%"))
    config.attributes["database_url"] = database_url
    return config


def run_env(metadata: MetaData, default_url: Callable[[], str]) -> None:
    """Do what `migrations/env.py` is for.

    A connection in `config.attributes["connection"]` is used as it is: that is how migrations run
    inside a running loop. Otherwise a connection is opened, to `config.attributes["database_url"]`
    or to the settings' database.
    """
    attributes = context.config.attributes
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
            asyncio.run(_connect_and(lambda sync: _run(metadata, connection=sync), url))
        except InvalidSettingsError as error:
            raise CommandError(str(error)) from None
        except CannotMigrateError as error:
            raise CommandError(str(error)) from None


async def upgrade(
    config: Config, revision: str = "head", *, connection: AsyncConnection | None = None
) -> None:
    """Bring the schema to `revision`; replicas that start together do it one after another.

    Raises:
        CannotMigrateError: the database is away, or a lock was not to be had in time.
    """
    await _command(command.upgrade, config, revision, connection)


async def downgrade(
    config: Config, revision: str, *, connection: AsyncConnection | None = None
) -> None:
    """Take the schema back to `revision`."""
    await _command(command.downgrade, config, revision, connection)


def _goes_up() -> bool:
    """Say whether this is an upgrade: only that touches the tables of features.

    Whatever called `command.upgrade`, it is a function within that one which Alembic runs here.
    """
    steps = context.get_context().opts.get("fn")
    return getattr(steps, "__qualname__", "").startswith(f"{command.upgrade.__qualname__}.")


def _run(metadata: MetaData, **options: Any) -> None:  # noqa: ANN401 - those of context.configure
    context.configure(
        target_metadata=metadata,
        compare_server_default=True,
        transaction_per_migration=True,
        **options,
    )
    if _goes_up():
        _upgrade_features(options.get("connection"))
    with context.begin_transaction():
        context.run_migrations()


def _upgrade_features(connection: Connection | None) -> None:
    if connection is None:
        print_all(context.config.output_buffer or sys.stdout)
        return
    is_callers = connection.in_transaction()
    upgrade_all(connection)
    if not is_callers:
        connection.commit()


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
        await _connect_and(work, config.attributes["database_url"])


async def _connect_and(work: Callable[[Connection], None], url: str) -> None:
    engine = create_engine(url, poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            # The lock is waited for as long as it takes; only then do waits become short. Asking
            # for it in turns holds no snapshot, which CREATE INDEX CONCURRENTLY would wait for.
            while not await connection.scalar(LOCK):
                await connection.rollback()
                await asyncio.sleep(LOCK_POLL)
            await connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
            await connection.commit()
            await connection.run_sync(work)
            await connection.commit()
    except DatabaseUnavailable as error:
        raise CannotMigrateError(UNREACHABLE.format(error)) from error
    except DBAPIError as error:
        if isinstance(error.driver_exception, LockNotAvailableError):
            raise CannotMigrateError(LOCKED.format(error.driver_exception)) from error
        raise
    finally:
        await engine.dispose()
