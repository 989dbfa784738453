"""Connections and sessions of one database."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Self

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker

from ..feature import StartError
from .engine import PooledConnection, connect, engine_of
from .errors import DatabaseUnavailable, database_errors
from .fair_pool import FairPool
from .orm_session import AsyncBlockSession, BlockSession, ReadingSession, SessionClosedError
from .pool_guard import PoolGuard, ReadOnlyError
from .pooler import refuse_shared_sessions
from .settings import DatabaseSettings

__all__ = ["DatabaseSessionManager", "NotInitialisedError", "ReadOnlyError", "SessionClosedError"]


class DatabaseSessionManager:
    """The pool of one database, and the sessions on it. Several can live side by side.

    `init` and `close` belong into the lifespan of the application; between them `session`,
    `snapshot` and `connect` may be called from any task.
    """

    def __init__(self) -> None:
        self._engine: AsyncEngine | None = None
        self._plain: Callable[[], Awaitable[asyncpg.Connection]] | None = None
        self._writing: async_sessionmaker[AsyncSession] | None = None
        self._reading: async_sessionmaker[AsyncSession] | None = None
        self._snapshots: async_sessionmaker[AsyncSession] | None = None

    @classmethod
    def from_settings(cls, settings: DatabaseSettings) -> Self:
        """Return a manager for the database of these settings, ready for use."""
        manager = cls()
        idle = settings.database_idle_transaction_timeout
        manager.init(
            settings.database_url,
            connect_timeout=settings.database_connect_timeout,
            # The server's own timeout comes first; this one is for a server that went silent.
            command_timeout=settings.database_statement_timeout + 1,
            server_settings={
                "statement_timeout": _milliseconds(settings.database_statement_timeout),
                "lock_timeout": _milliseconds(settings.database_lock_timeout),
                "idle_in_transaction_session_timeout": _milliseconds(idle),
                # Probes keep a connection alive in the tables of firewalls and load balancers.
                "tcp_keepalives_idle": "30",
                "tcp_keepalives_interval": "10",
                "tcp_keepalives_count": "3",
            },
            guard=PoolGuard(transaction_limit=idle),
            pool_size=settings.database_pool_size,
            max_overflow=settings.database_max_overflow,
            pool_timeout=settings.database_pool_timeout,
        )
        return manager

    def init(
        self,
        url: str,
        *,
        connect_timeout: float = 5,
        command_timeout: float | None = None,
        server_settings: dict[str, str] | None = None,
        **options: Any,  # noqa: ANN401 - those of create_async_engine
    ) -> None:
        """Make the pool; it connects when a connection is first needed.

        Args:
            url: `postgresql://user:password@host:port/database`, as libpq knows it (sslmode too).
            connect_timeout: seconds until the server is given up.
            command_timeout: seconds until a statement is; for ever when left out.
            server_settings: run-time parameters for every connection.
            **options: the pool's size and the like, as in `create_async_engine`.

        Raises:
            RuntimeError: the manager is in use already; `close` it first.
        """
        if self._engine is not None:
            raise RuntimeError(
                "this manager has a pool already: close it first, or make another manager"
            )
        self._plain = partial(
            connect, url, connect_timeout=connect_timeout, command_timeout=connect_timeout
        )
        connector = partial(
            connect,
            url,
            connect_timeout=connect_timeout,
            command_timeout=command_timeout,
            server_settings={**(server_settings or {}), "default_transaction_read_only": "on"},
            connection_class=PooledConnection,
        )
        engine = engine_of(
            connector,
            options.pop("guard", None) or PoolGuard(),
            isolation_level="AUTOCOMMIT",
            execution_options={"reads_only": True},
            poolclass=FairPool,
            **options,
        )
        # Switching costs each checkout a little, so it is left to those who write anyway.
        self._engine = engine.execution_options(isolation_level="READ COMMITTED", reads_only=False)
        snapshots = engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._writing = _sessions(self._engine, BlockSession)
        self._reading = _sessions(engine, ReadingSession)
        self._snapshots = _sessions(snapshots, BlockSession)

    async def check(self) -> None:
        """Refuse a database that could never serve; one that is away may come back.

        Raises:
            StartError: its URL is wrong, or leads to a pooler that mixes sessions.
        """
        if self._plain is None:
            raise NotInitialisedError
        try:
            await refuse_shared_sessions(self._plain)
        except DatabaseUnavailable:
            return
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise UnusableDatabaseError(error) from error

    async def close(self) -> None:
        """Close every connection; `init` may follow. Closing what is closed does nothing."""
        engine, self._engine = self._engine, None
        self._writing = self._reading = self._snapshots = None
        if engine is not None:
            await engine.dispose()

    @asynccontextmanager
    async def session(self, *, read_only: bool = False) -> AsyncIterator[AsyncSession]:
        """Give a session that commits when the block succeeds, and rolls back when it does not.

        Args:
            read_only: run every statement on its own, outside a transaction, which saves two round
                trips; writing raises ReadOnlyError.

        Raises:
            DatabaseError: what the database refused, by its subclasses; also at the commit.
        """
        session = _open(self._reading if read_only else self._writing)
        try:
            with database_errors():
                yield session
                if not read_only:
                    await session.commit()
        except BaseException:
            async with session:  # closes it in a task of its own, which no cancellation stops
                raise
        # The transaction is over: nothing is left that a cancellation could leave undone.
        await session.close()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncSession]:
        """Give a session that reads the data of one moment, such as an export or a report.

        Its one read-only transaction can stream rows from the server (`session.stream`), and holds
        a connection of the pool until the block ends.

        Raises:
            DatabaseError: what the database refused, by its subclasses.
        """
        async with _open(self._snapshots) as session:
            with database_errors():
                yield session

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection for Core statements in one transaction, committed as in `session`."""
        if self._engine is None:
            raise NotInitialisedError
        with database_errors():
            async with self._engine.begin() as connection:
                yield connection


class UnusableDatabaseError(StartError):
    """The server refuses every connection for a reason that does not pass."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"DATABASE_URL cannot be used: {error}. Correct it.")


class NotInitialisedError(RuntimeError):
    """The manager is used outside the lifespan."""

    def __init__(self) -> None:
        super().__init__(
            "the database is not open: call init first (the application's lifespan does)"
        )


def _sessions(engine: AsyncEngine, cls: type[BlockSession]) -> async_sessionmaker[AsyncSession]:
    return async_sessionmaker(
        engine, class_=AsyncBlockSession, expire_on_commit=False, sync_session_class=cls
    )


def _open(factory: async_sessionmaker[AsyncSession] | None) -> AsyncSession:
    if factory is None:
        raise NotInitialisedError
    return factory()


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
