"""Engines on asyncpg, which read a database's URL as libpq does."""

import asyncio
from typing import Any, Final

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util.concurrency import await_

from .errors import DatabaseUnavailable, StatementTimeout, translate

ANSWER_TIMEOUT: Final = 1.0
"""Seconds within which a server that is well answers."""


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
    # The driver's command timeout is not an error of its own, so SQLAlchemy lets it pass.
    if not isinstance(context.original_exception, TimeoutError):
        return
    connection = context.connection and context.connection.connection.driver_connection
    if connection and await_(_answers(connection)):
        raise StatementTimeout("the statement exceeded its time limit") from None
    context.is_disconnect = True
    raise DatabaseUnavailable("the server did not answer in time") from None


async def _answers(connection: asyncpg.Connection) -> bool:
    """Say whether the server still answers on a connection; end the connection if not."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await connection.execute("SELECT 1")
    except asyncpg.PostgresError:
        return True
    except (TimeoutError, OSError, asyncpg.InterfaceError):
        connection.terminate()
        return False
    return True
