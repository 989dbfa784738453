"""Connections and sessions of one database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

from sqlalchemy import ClauseElement, Connection, Engine, Executable, TextClause, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from .engine import create_engine
from .errors import database_errors
from .fair_pool import FairPool
from .settings import DatabaseSettings

READING_WORDS = frozenset({"SELECT", "VALUES", "TABLE", "SHOW"})
"""What SQL that is written as text begins with when it reads. A guard against slips, no more."""


class ReadOnlyError(RuntimeError):
    """Something was to be written through a session that was opened for reading."""

    def __init__(self) -> None:
        super().__init__(
            "this session only reads: a GET request, or session(read_only=True), cannot write"
        )


class ReadOnlySession(Session):
    """Refuses to write: its statements run outside a transaction, so nothing could be undone."""

    def get_bind(
        self,
        mapper: Any = None,  # noqa: ANN401 - SQLAlchemy's call
        *,
        clause: ClauseElement | None = None,
        **options: Any,  # noqa: ANN401 - SQLAlchemy's call
    ) -> Engine | Connection:
        """Return what a statement is to run on, for which SQLAlchemy asks before each one.

        Raises:
            ReadOnlyError: it would write.
        """
        if clause is not None and not _reads(clause):
            raise ReadOnlyError
        return super().get_bind(mapper, clause=clause, **options)


@event.listens_for(ReadOnlySession, "before_flush")
def _refuse_flush(*_: object) -> None:
    raise ReadOnlyError


def _reads(statement: ClauseElement) -> bool:
    if isinstance(statement, TextClause):
        words = statement.text.split(maxsplit=1)
        return bool(words) and words[0].upper() in READING_WORDS
    return isinstance(statement, Executable) and statement.is_select


class DatabaseSessionManager:
    """The pool of one database, and the sessions on it. Several can live side by side.

    `init` and `close` belong into the lifespan of the application; between them `session` and
    `connect` may be called from any task.
    """

    def __init__(self) -> None:
        self._engine: AsyncEngine | None = None
        self._writing: async_sessionmaker[AsyncSession] | None = None
        self._reading: async_sessionmaker[AsyncSession] | None = None

    @classmethod
    def from_settings(cls, settings: DatabaseSettings) -> Self:
        """Return a manager for the database of these settings, ready for use."""
        manager = cls()
        manager.init(
            settings.database_url,
            connect_timeout=settings.database_connect_timeout,
            # The server's own timeout comes first; this one is for a server that went silent.
            command_timeout=settings.database_statement_timeout + 1,
            server_settings={
                "statement_timeout": _milliseconds(settings.database_statement_timeout),
                "lock_timeout": _milliseconds(settings.database_lock_timeout),
                "idle_in_transaction_session_timeout": _milliseconds(60),
            },
            pool_size=settings.database_pool_size,
            max_overflow=settings.database_max_overflow,
            pool_timeout=settings.database_pool_timeout,
        )
        return manager

    def init(self, url: str, **options: Any) -> None:  # noqa: ANN401 - those of create_engine
        """Make the pool; it connects when a connection is first needed.

        Args:
            url: `postgresql://user:password@host:port/database`, as libpq knows it (sslmode too).
            **options: timeouts, run-time parameters and the pool's size, as in `create_engine`.

        Raises:
            RuntimeError: the manager is in use already; `close` it first.
        """
        if self._engine is not None:
            raise RuntimeError(
                "this manager has a pool already: close it first, or make another manager"
            )
        engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=FairPool, **options)
        event.listen(engine.sync_engine, "checkout", _replace_if_closed)
        # Switching costs each checkout a little, so it is left to those who write anyway.
        self._engine = engine.execution_options(isolation_level="READ COMMITTED")
        self._writing = async_sessionmaker(self._engine, expire_on_commit=False)
        self._reading = async_sessionmaker(
            engine, expire_on_commit=False, sync_session_class=ReadOnlySession
        )

    async def close(self) -> None:
        """Close every connection; `init` may follow. Closing what is closed does nothing."""
        engine, self._engine, self._writing, self._reading = self._engine, None, None, None
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
        factory = self._reading if read_only else self._writing
        if factory is None:
            raise NotInitialisedError
        session = factory()
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
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection for Core statements in one transaction, committed as in `session`."""
        if self._engine is None:
            raise NotInitialisedError
        with database_errors():
            async with self._engine.begin() as connection:
                yield connection


class NotInitialisedError(RuntimeError):
    """The manager is used outside the lifespan."""

    def __init__(self) -> None:
        super().__init__(
            "the database is not open: call init first (the application's lifespan does)"
        )


def _replace_if_closed(connection: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401
    # asyncpg notices a lost server at once, so this look costs no round trip, unlike a ping.
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
