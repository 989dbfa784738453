"""Engines on asyncpg, which read a database's URL as libpq does."""

from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from .errors import DatabaseUnavailable, translate


def create_engine(
    url: str,
    *,
    connect_timeout: float = 5,
    command_timeout: float | None = None,
    server_settings: dict[str, str] | None = None,
    **options: Any,  # noqa: ANN401 - those of create_async_engine
) -> AsyncEngine:
    """Return an engine for the database at `url`; it connects when first used.

    Args:
        url: `postgresql://user:password@host:port/database`; parameters such as `sslmode` work.
        connect_timeout: seconds until the server is given up.
        command_timeout: seconds until a statement is; for ever when left out.
        server_settings: run-time parameters for every connection.
        **options: passed on to SQLAlchemy's `create_async_engine`.
    """
    dsn = url.replace("+asyncpg", "", 1)

    # SQLAlchemy never sees the URL, so that no message of its can show the password.
    async def connect(**arguments: Any) -> asyncpg.Connection:  # noqa: ANN401 - those of asyncpg
        try:
            return await asyncpg.connect(
                dsn,
                timeout=connect_timeout,
                command_timeout=command_timeout,
                server_settings=server_settings,
                **arguments,
            )
        except Exception as error:
            meaning = translate(error)
            if meaning is None:
                raise
            raise meaning from error

    # Values may be secret, and errors are logged.
    options.setdefault("hide_parameters", True)
    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, **options)
    event.listen(engine.sync_engine, "handle_error", _translate_timeout)
    return engine


def _translate_timeout(context: ExceptionContext) -> None:
    # asyncpg's command timeout is no error of the driver's, so SQLAlchemy lets it pass as it is.
    if isinstance(context.original_exception, TimeoutError):
        raise DatabaseUnavailable("the server did not answer in time") from None
