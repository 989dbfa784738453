"""Engines on asyncpg, which read a database's URL as libpq does."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from .database_url import connect_arguments
from .errors import translate
from .pool_guard import PoolGuard


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
    connector = partial(
        connect,
        url,
        connect_timeout=connect_timeout,
        command_timeout=command_timeout,
        server_settings=server_settings,
    )
    return engine_of(connector, PoolGuard(), **options)


def engine_of(
    connector: Callable[[], Awaitable[asyncpg.Connection]],
    guard: PoolGuard,
    **options: Any,  # noqa: ANN401 - those of create_async_engine
) -> AsyncEngine:
    """Return an engine whose connections come from `connector`, watched by `guard`."""
    # Values may be secret, and errors are logged.
    options.setdefault("hide_parameters", True)
    # SQLAlchemy never sees the URL, so that no message of its can show the password.
    engine = create_async_engine("postgresql+asyncpg://", async_creator=connector, **options)
    guard.watch(engine)
    return engine


async def connect(
    url: str,
    *,
    connect_timeout: float = 5,
    command_timeout: float | None = None,
    server_settings: dict[str, str] | None = None,
    connection_class: type[asyncpg.Connection] = asyncpg.Connection,
) -> asyncpg.Connection:
    """Return a new connection to the database at `url`.

    Raises:
        ValueError: the URL has a parameter that is not supported.
        DatabaseUnavailable: the server cannot be reached, or refuses us.
    """
    try:
        arguments, settings = connect_arguments(url, timeout=connect_timeout)
        connection = await asyncpg.connect(
            command_timeout=command_timeout,
            connection_class=connection_class,
            # SQLAlchemy keeps prepared statements itself, and asyncpg's names meet in a pooler.
            statement_cache_size=0,
            **arguments,
        )
        try:
            await _set(connection, {**(server_settings or {}), **settings}, connect_timeout)
        except BaseException:
            connection.terminate()
            raise
    except Exception as error:
        meaning = translate(error)
        if meaning is None:
            raise
        raise meaning from error
    return connection


async def _set(connection: asyncpg.Connection, settings: dict[str, str], seconds: float) -> None:
    # Not as startup parameters, which poolers on the way refuse or ignore.
    if settings:
        statements = (f"SET {name} = '{value}'" for name, value in settings.items())
        await connection.execute("; ".join(statements), timeout=seconds)
