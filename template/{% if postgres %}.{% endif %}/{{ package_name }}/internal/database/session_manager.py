"""Connections and sessions of a database."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Self

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker

from ..feature import StartError
from .direct import DirectConnections
from .engine import PooledConnection, connect, engine_of
from .errors import DatabaseUnavailable, database_errors
from .fair_pool import FairPool
from .orm_session import AsyncBlockSession, BlockSession, ReadingSession, SessionClosedError
from .pool_guard import PoolGuard, ReadOnlyError
from .pooler import refuse_shared_sessions
from .reader import DatabaseReader
from .replica import Replica
from .settings import DatabaseSettings

__all__ = ["DatabaseSessionManager", "NotInitialisedError", "ReadOnlyError", "SessionClosedError"]


class DatabaseSessionManager:
    """The connection pool and the sessions of one database. A service may have several.

    Call `init` and `close` in the application's lifespan. In between, `session`,
    `snapshot` and `connect` may be called from any task.
    """

    def __init__(self) -> None:
        self._engine: AsyncEngine | None = None
        self._plain: Callable[[], Awaitable[asyncpg.Connection]] | None = None
        self._writing: async_sessionmaker[AsyncSession] | None = None
        self._reading: async_sessionmaker[AsyncSession] | None = None
        self._snapshots: async_sessionmaker[AsyncSession] | None = None
        self._reader: DatabaseReader | None = None

    @classmethod
    def from_settings(cls, settings: DatabaseSettings) -> Self:
        """Return a manager for the database of these settings, ready for use."""
        manager = cls()
        idle = settings.database_idle_transaction_timeout
        manager.init(
            settings.database_url,
            connect_timeout=settings.database_connect_timeout,
            # The server's own timeout is shorter. This one is for a server that no longer answers.
            command_timeout=settings.database_statement_timeout + 1,
            server_settings={
                "statement_timeout": _milliseconds(settings.database_statement_timeout),
                "lock_timeout": _milliseconds(settings.database_lock_timeout),
                "idle_in_transaction_session_timeout": _milliseconds(idle),
                # Keepalive probes prevent firewalls and load balancers from dropping a connection.
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
        """Create the pool. It connects when the first connection is needed.

        Args:
            url: `postgresql://user:password@host:port/database`, as libpq knows it (sslmode too).
            connect_timeout: seconds to wait for the server.
            command_timeout: time limit of a statement in seconds; default: none.
            server_settings: run-time parameters for every connection.
            **options: further arguments of `create_async_engine`, such as the pool's size.

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
        guard = options.pop("guard", None) or PoolGuard()
        engine = engine_of(
            connector,
            guard,
            isolation_level="AUTOCOMMIT",
            execution_options={"reads_only": True},
            poolclass=FairPool,
            **options,
        )
        # Switching costs time at each checkout, so only writing transactions switch.
        self._engine = engine.execution_options(isolation_level="READ COMMITTED", reads_only=False)
        snapshots = engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._writing = _sessions(self._engine, BlockSession)
        self._reading = _sessions(engine, ReadingSession)
        self._snapshots = _sessions(snapshots, BlockSession)
        self._reader = DatabaseReader(DirectConnections(engine, guard))

    @property
    def reader(self) -> DatabaseReader:
        """Runs queries without a session, on the connections of the same pool."""
        if self._reader is None:
            raise NotInitialisedError
        return self._reader

    @asynccontextmanager
    async def reading_from(
        self, settings: DatabaseSettings, *, lag_limit: float
    ) -> AsyncIterator[Replica]:
        """Let readers use the replica of these settings while the block runs.

        Raises:
            StartError: the replica can never be used.
        """
        manager = DatabaseSessionManager.from_settings(settings)
        primary = self.reader
        manager.reader.watch_queries(primary.connections.watch)
        replica = Replica(
            manager.reader, primary, partial(connect, settings.database_url), lag_limit
        )
        try:
            await manager.check("DATABASE_READ_URL")
            await replica.check()
            self._reader = DatabaseReader(primary.connections, replica)
            yield replica
        finally:
            self._reader = primary
            replica.close()
            await manager.close()

    async def check(self, setting: str = "DATABASE_URL") -> None:
        """Raise an error if the database can never be used. It may be unavailable for now.

        Args:
            setting: names the URL in messages.

        Raises:
            StartError: the URL is wrong, or leads to a pooler in transaction mode.
        """
        if self._plain is None:
            raise NotInitialisedError
        try:
            await refuse_shared_sessions(self._plain, setting)
        except DatabaseUnavailable:
            return
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise UnusableDatabaseError(error, setting) from error

    async def close(self) -> None:
        """Close all connections. `init` may be called again. A second `close` has no effect."""
        engine, self._engine = self._engine, None
        self._writing = self._reading = self._snapshots = None
        self._reader = None
        if engine is not None:
            await engine.dispose()

    @asynccontextmanager
    async def session(self, *, read_only: bool = False) -> AsyncIterator[AsyncSession]:
        """Open a session that commits if the block succeeds, and rolls back otherwise.

        Args:
            read_only: run statements without a transaction, which saves two round
                trips; writing raises ReadOnlyError.

        Raises:
            DatabaseError: a subclass for each kind of error, also at the commit.
        """
        session = _open(self._reading if read_only else self._writing)
        try:
            with database_errors():
                yield session
                if not read_only:
                    await session.commit()
        except BaseException:
            async with session:  # closes it in its own task, which cannot be cancelled
                raise
        # The transaction has ended, so a cancellation has no effect.
        await session.close()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncSession]:
        """Open a session that reads a consistent snapshot, for example for an export.

        Its one read-only transaction can stream rows from the server (`session.stream`), and holds
        a connection of the pool until the block ends.

        Raises:
            DatabaseError: a subclass for each kind of error.
        """
        async with _open(self._snapshots) as session:
            with database_errors():
                yield session

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for Core statements in one transaction, committed as in `session`."""
        if self._engine is None:
            raise NotInitialisedError
        with database_errors():
            async with self._engine.begin() as connection:
                yield connection


class UnusableDatabaseError(StartError):
    """The server refuses all connections for a permanent reason."""

    def __init__(self, error: Exception, setting: str) -> None:
        super().__init__(f"{setting} cannot be used: {error}. Correct it.")


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
