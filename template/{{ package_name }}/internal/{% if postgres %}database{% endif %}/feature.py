"""The database as a feature of the service."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI
from sqlalchemy import text

from ..feature import Feature, NotReadyError
from ..http.problems import ProblemKind
from .errors import (
    CheckViolation,
    DatabaseUnavailable,
    ForeignKeyViolation,
    NotNullViolation,
    TransactionConflict,
    UniqueViolation,
)
from .retry import TransactionRetryMiddleware
from .revision import current_revision
from .session_manager import DatabaseSessionManager

TRY_AGAIN = "The database cannot serve this request just now: try again."


@asynccontextmanager
async def start(app: FastAPI) -> AsyncIterator[None]:
    """Open the database, migrated if the settings say so, and close it at the end."""
    # Alembic takes a while to import, which only a service that starts has to wait for. It tells
    # of each plugin as it does.
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
    from .migrate import alembic_config, known_revisions, upgrade  # noqa: PLC0415

    settings = app.state.settings
    database = DatabaseSessionManager.from_settings(settings)
    app.state.database = database
    migrations = alembic_config(settings.database_url)
    app.state.revisions = known_revisions(migrations)
    try:
        if settings.migrate_on_start:
            await upgrade(migrations)
        yield
    finally:
        await database.close()


async def answers(app: FastAPI) -> str:
    """Ask the database for an answer."""
    database: DatabaseSessionManager = app.state.database
    async with database.session(read_only=True) as session:
        await session.execute(text("SELECT 1"))
    return "answers"


async def schema_at_head(app: FastAPI) -> str:
    """Compare the schema's revision with the one that this version of the service needs."""
    from .histories import outdated  # noqa: PLC0415 - as in `start`

    database: DatabaseSessionManager = app.state.database
    revisions: list[str] = app.state.revisions
    head = revisions[0] if revisions else None
    async with database.connect() as connection:
        current = await current_revision(connection)
        if lack := await outdated(connection):
            raise FeatureOutOfDateError(lack)
    if current is not None and current not in revisions:
        # The next version's migration has run, and this one serves until it is replaced.
        return f"ahead of this version, at {current}"
    if current != head:
        raise SchemaOutOfDateError(current, head)
    return f"at {head or 'no revision'}"


class SchemaOutOfDateError(NotReadyError):
    """The database has not been migrated to this version of the service."""

    def __init__(self, current: str | None, head: str | None) -> None:
        super().__init__(f"the schema is at {current or 'no revision'}, this service needs {head}")


class FeatureOutOfDateError(NotReadyError):
    """The tables of a feature have not been migrated to this version of the service."""


FEATURE = Feature(
    start=start,
    probes={"database": answers, "schema": schema_at_head},
    problems={
        UniqueViolation: ProblemKind(HTTPStatus.CONFLICT, "Another entry has this key."),
        ForeignKeyViolation: ProblemKind(
            HTTPStatus.CONFLICT,
            "An entry that this refers to, or that refers to this, stands in the way.",
        ),
        CheckViolation: ProblemKind(
            HTTPStatus.UNPROCESSABLE_ENTITY, "A value is out of its range."
        ),
        NotNullViolation: ProblemKind(HTTPStatus.UNPROCESSABLE_ENTITY, "A value is missing."),
        TransactionConflict: ProblemKind(HTTPStatus.SERVICE_UNAVAILABLE, TRY_AGAIN, retry_after=1),
        DatabaseUnavailable: ProblemKind(HTTPStatus.SERVICE_UNAVAILABLE, TRY_AGAIN, retry_after=1),
    },
    middleware=(TransactionRetryMiddleware,),
)
