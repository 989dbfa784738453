"""Engines and connections on asyncpg, which read a database's URL as libpq does."""

from collections.abc import Awaitable, Callable, Generator
from functools import partial
from itertools import count
from time import monotonic
from typing import Any, Final, Literal

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from .database_url import connect_arguments
from .errors import translate
from .pool_guard import PoolGuard

READ_ONLY: Final = "SET default_transaction_read_only = on"
"""Puts a connection into the mode that it has outside writing transactions."""

BEGIN: Final = "BEGIN; RESET default_transaction_read_only; COMMIT; BEGIN"
"""Begins a transaction in the server's own mode: a standby stays read-only."""

KEPT_STATEMENTS: Final = 100
"""Prepared statements that each connection keeps for readers."""

NUMBERS: Final = count()
"""Numbers for the names of prepared statements."""

Isolation = Literal["read_committed", "read_uncommitted", "serializable", "repeatable_read"]


class PooledConnection(asyncpg.Connection):
    """A connection that the server lets write within writing transactions only."""

    begun = 0.0
    """When the current writing transaction began."""

    _read_statements: "dict[str, PreparedStatement[asyncpg.Record]] | None" = None
    _statements_since = 0.0

    async def prepared(self, sql: str, outdated: float) -> "PreparedStatement[asyncpg.Record]":
        """Return a prepared statement. The server keeps the last ones that were used.

        Args:
            sql: of the statement.
            outdated: when statements that were prepared before became invalid.
        """
        statements = self._read_statements
        if statements is None or self._statements_since < outdated:
            if statements:
                await self.reload_schema_state()
            statements = self._read_statements = {}
            self._statements_since = monotonic()
        statement = statements.pop(sql, None)
        if statement is None:
            # With a name, or else the server would parse and plan it each time.
            statement = await self.prepare(sql, name=f"read_{next(NUMBERS)}")
            if len(statements) >= KEPT_STATEMENTS:
                del statements[next(iter(statements))]
        statements[sql] = statement
        return statement

    def transaction(
        self,
        *,
        isolation: Isolation | None = None,
        readonly: bool = False,
        deferrable: bool = False,
    ) -> Any:  # noqa: ANN401 - asyncpg's Transaction, or an object with the same methods
        """Return a transaction that has not begun yet."""
        if readonly:
            return super().transaction(
                isolation=isolation, readonly=readonly, deferrable=deferrable
            )
        return WritingTransaction(self, isolation)


class WritingTransaction:
    """Makes its connection writable and read-only again, in the round trips of BEGIN and COMMIT."""

    def __init__(self, connection: PooledConnection, isolation: Isolation | None) -> None:
        self._connection = connection
        self._level = (isolation or "read_committed").replace("_", " ").upper()

    async def start(self) -> None:
        """Begin."""
        self._connection.begun = monotonic()
        await self._connection.execute(f"{BEGIN} ISOLATION LEVEL {self._level}")

    async def commit(self) -> None:
        """Commit."""
        try:
            await self._connection.execute(f"COMMIT; {READ_ONLY}")
        except asyncpg.PostgresError:
            if not self._connection.is_closed():
                await self._connection.execute(READ_ONLY)
            raise

    async def rollback(self) -> None:
        """Roll back."""
        await self._connection.execute(f"ROLLBACK; {READ_ONLY}")


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
        connect_timeout: seconds to wait for a connection.
        command_timeout: seconds to wait for a statement; without it there is no limit.
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
    """Return an engine whose connections come from `connector` and are watched by `guard`."""
    # Values may be secret, and errors are logged.
    options.setdefault("hide_parameters", True)
    # SQLAlchemy never sees the URL, so none of its messages can show the password.
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: _Connecting(connector), **options
    )
    guard.watch(engine)
    return engine


class _Connecting:
    """A connection that is opened when it is awaited, and may be given up before."""

    def __init__(self, connector: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        self._connector = connector

    def __await__(self) -> Generator[Any, Any, asyncpg.Connection]:
        return self._connector().__await__()


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
            # SQLAlchemy caches prepared statements itself, and the names that asyncpg gives them
            # collide behind a pooler.
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
    # Not as startup parameters: poolers refuse or ignore them.
    if settings:
        statements = (f"SET {name} = '{value}'" for name, value in settings.items())
        await connection.execute("; ".join(statements), timeout=seconds)
