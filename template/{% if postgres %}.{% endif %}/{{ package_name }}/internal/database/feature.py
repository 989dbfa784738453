"""The database as a feature of the service."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus

from sqlalchemy import text

from ..feature import Feature, NotReadyError
from ..http.openapi import Application
from ..http.problems import UNHANDLED, ProblemKind
from ..resources import Resources
from ..tasks import running
from .errors import (
    CheckViolation,
    DatabaseUnavailable,
    ForeignKeyViolation,
    NotNullViolation,
    StatementTimeout,
    TransactionConflict,
    UniqueViolation,
    UnstorableValue,
)
from .revision import ROOT, Revisions, current_revision, judge_features
from .session import TransactionRetryMiddleware
from .session_manager import DatabaseSessionManager
from .settings import DatabaseSettings

TRY_AGAIN = "The database cannot serve this request at the moment: try again."
TOO_SLOW = "The database took too long over this request. Repeating it at once will not help."


@asynccontextmanager
async def start(
    resources: Resources,
) -> AsyncIterator[tuple[DatabaseSessionManager, Revisions]]:
    """Open the database, migrated if the settings say so, and close it at the end."""
    settings = resources.get(DatabaseSettings)
    primary, replica = settings.split() if settings.database_read_url else (settings, None)
    database = DatabaseSessionManager.from_settings(primary)
    if app := resources.find(Application):
        app.state.database = database  # where code written before v1.4.0 finds it
    try:
        if settings.migrate_on_start:
            await migrate(settings.database_url)
        await database.check()
        async with AsyncExitStack() as stack:
            if replica is not None:
                await stack.enter_async_context(_replica(resources, database, replica))
            yield database, Revisions.read(ROOT / "migrations/versions")
    finally:
        await database.close()


@asynccontextmanager
async def _replica(
    resources: Resources, database: DatabaseSessionManager, settings: DatabaseSettings
) -> AsyncIterator[None]:
    limit = settings.database_read_lag_limit
    async with (
        database.reading_from(settings, lag_limit=limit) as replica,
        running(resources, "replica", replica.watch()),
    ):
        yield


async def migrate(database_url: str, migrations: str = "migrations") -> None:
    """Upgrade a database to the newest revision in a folder."""
    # Imported here, because Alembic takes time and memory that only a migration needs. It logs
    # each of its plugins at the import.
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
    from .migrate import alembic_config, upgrade  # noqa: PLC0415

    await upgrade(alembic_config(database_url, migrations=migrations))


async def answers(
    resources: Resources, manager: type[DatabaseSessionManager] = DatabaseSessionManager
) -> str:
    """Check that the database responds."""
    database = resources.get(manager)
    async with database.session(read_only=True) as session:
        await session.execute(text("SELECT 1"))
    return "answers"


async def accepts_writes(
    resources: Resources, manager: type[DatabaseSessionManager] = DatabaseSessionManager
) -> str:
    """Check that the server accepts writes.

    Raises:
        ReadOnlyServerError: it is read-only.
    """
    database = resources.get(manager)
    async with database.connect() as connection:
        if await connection.scalar(text("SHOW transaction_read_only")) == "on":
            raise ReadOnlyServerError
    return "accepts writes"


async def replica_is_used(resources: Resources) -> str:
    """Say whether readers use the replica.

    Raises:
        ReplicaUnusedError: they use the primary instead.
    """
    replica = resources.get(DatabaseSessionManager).reader.replica
    if replica is None:
        return "not configured"
    if replica.problem:
        raise ReplicaUnusedError(replica.problem)
    return "is used"


class ReplicaUnusedError(NotReadyError):
    """Readers use the primary, because the replica is away or too far behind."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"readers use the primary instead of the replica: {problem}")


class ReadOnlyServerError(NotReadyError):
    """The server is read-only."""

    def __init__(self) -> None:
        super().__init__("the server accepts no writes: it is a standby, or was set to read-only")


async def schema_at_head(resources: Resources) -> str:
    """Check that the schema is at the revision that this version of the service needs."""
    database = resources.get(DatabaseSessionManager)
    revisions = resources.get(Revisions)
    async with database.connect() as connection:
        current = await current_revision(connection)
        features = await judge_features(connection)
    return "; ".join([revisions.judge("the schema", current), *features])


FEATURE = Feature(
    start=start,
    probes={"database": answers, "schema": schema_at_head},
    reported_probes={"database-writes": accepts_writes, "database-replica": replica_is_used},
    problems={
        UniqueViolation: ProblemKind(HTTPStatus.CONFLICT, "Another entry has this key."),
        ForeignKeyViolation: ProblemKind(
            HTTPStatus.CONFLICT,
            "An entry that this refers to, or that refers to this, stands in the way.",
        ),
        CheckViolation: ProblemKind(
            HTTPStatus.UNPROCESSABLE_ENTITY, "A value is out of its range."
        ),
        UnstorableValue: ProblemKind(
            HTTPStatus.UNPROCESSABLE_ENTITY, "A value is too long, too large or malformed."
        ),
        # The service's own code omitted the value: clients cannot correct that.
        NotNullViolation: UNHANDLED,
        StatementTimeout: ProblemKind(HTTPStatus.INTERNAL_SERVER_ERROR, TOO_SLOW),
        TransactionConflict: ProblemKind(HTTPStatus.SERVICE_UNAVAILABLE, TRY_AGAIN, retry_after=1),
        DatabaseUnavailable: ProblemKind(HTTPStatus.SERVICE_UNAVAILABLE, TRY_AGAIN, retry_after=1),
    },
    middleware=(TransactionRetryMiddleware,),
)
