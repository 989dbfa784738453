"""Runs SQLAlchemy's statements directly on asyncpg, on the connections of a pool.

SQLAlchemy compiles a statement and binds its values, in its own cache. We send it: a cursor of
SQLAlchemy would cross a greenlet for each round trip.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from time import monotonic
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar, cast
from weakref import WeakKeyDictionary

import asyncpg
from asyncpg.cursor import Cursor
from asyncpg.prepared_stmt import PreparedStatement
from pydantic import BaseModel
from sqlalchemy import Compiled, Connection, Executable, event
from sqlalchemy.engine import ExecutionContext
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from .engine import PooledConnection
from .errors import TransactionConflict, database_errors, is_stale
from .orm_session import SessionClosedError
from .pool_guard import PoolGuard, answers
from .row_layout import Layout, RowReader, layout_of

Result = TypeVar("Result")
QueryWatch = Callable[[str], AbstractContextManager[object]]
"""Returns a context manager in which a query with this SQL runs."""

DIRECTLY: Final = "read_directly"
"""The execution option of statements that this module sends itself."""


Send: TypeAlias = "Callable[[PreparedStatement[Any], Sequence[Any]], Awaitable[Result]]"
"""Runs a prepared statement with values."""


class Call(NamedTuple):
    """A compiled statement, its SQL, and the values to send with it."""

    compiled: Compiled
    sql: str
    values: Sequence[Any]


class Query(NamedTuple):
    """A statement, the values of its parameters, and what its rows become."""

    statement: Executable
    values: Mapping[str, Any] | None
    schema: type[BaseModel] | None
    """The schema of a row; None for the value of its first column."""


class DirectConnections:
    """Reads on the connections of a pool, which the sessions use too."""

    def __init__(self, engine: AsyncEngine, guard: PoolGuard) -> None:
        self._async_engine = engine.execution_options(**{DIRECTLY: True})
        self._engine = self._async_engine.sync_engine
        self._pool = cast("QueuePool", self._engine.pool)
        self._guard = guard
        self._call: Call | None = None
        self._layouts = WeakKeyDictionary[Compiled, dict[type[BaseModel] | None, Layout]]()
        self._outdated = 0.0
        """When a migration last invalidated what is known of statements."""
        self.watch: QueryWatch = nullcontext
        """Encloses each query, from sending it until its rows are there."""
        event.listen(self._engine, "do_execute", self._capture)

    async def fetch(self, query: Query) -> list[Any]:
        """Run a statement outside a transaction, and return what its rows become.

        It runs again if a migration has invalidated its plan.
        """
        try:
            return await self._fetch(query)
        except TransactionConflict as error:
            if not is_stale(error.__cause__):
                raise
        return await self._fetch(query)

    async def _fetch(self, query: Query) -> list[Any]:
        async with self._connected() as connection:
            records, read = await self._guarded(connection, self._run(connection, query, _rows))
        return [read(record) for record in records]

    @asynccontextmanager
    async def stream(self, query: Query, batch: int) -> AsyncIterator[AsyncIterator[Any]]:
        """Run a statement in a transaction, and read its rows with a server-side cursor.

        The first batch is there when the block begins.
        """
        is_open = True

        async def open_cursor(
            prepared: "PreparedStatement[Any]", values: Sequence[Any]
        ) -> "tuple[Cursor[Any], list[asyncpg.Record]]":
            cursor = await prepared.cursor(*values)
            return cursor, await cursor.fetch(batch)

        async def rows() -> AsyncIterator[Any]:
            unread = first
            while True:
                if not is_open:
                    raise SessionClosedError
                records = unread or await self._guarded(connection, cursor.fetch(batch))
                if not records:
                    return
                unread = []
                for record in records:
                    yield read(record)

        async with self._connected() as connection:
            driver = _driver(connection)
            transaction = driver.transaction(isolation="repeatable_read", readonly=True)
            await self._guarded(connection, transaction.start())
            try:
                (cursor, first), read = await self._guarded(
                    connection, self._run(connection, query, open_cursor)
                )
                yield rows()
            finally:
                is_open = False
                if not connection.invalidated:
                    await self._guarded(connection, transaction.rollback())

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        with database_errors():
            connection = await self._connect()
        try:
            yield connection
        finally:
            connection.close()

    async def _guarded(self, connection: Connection, work: Awaitable[Result]) -> Result:
        """Wait for the driver, and raise the errors of sessions for its errors."""
        try:
            return await work
        except Exception as error:
            driver = _driver(connection)
            meaning = await self._guard.meaning_of(error, driver)
            if driver.is_closed():
                connection.invalidate()
            if is_stale(error):
                self._outdated = monotonic()
                self._layouts.clear()
            if meaning is error:
                raise
            raise meaning from error
        except BaseException:  # cancelled: the server may still be busy with the statement
            connection.invalidate()
            raise

    async def _connect(self) -> Connection:
        """Take a connection: at once if one is free, or after waiting for it."""
        connection = self._free_connection()
        if connection is not None:
            if not self._guard.needs_test(connection) or await self._answers(connection):
                return connection
            self._guard.distrust("a connection is silent")
        waited = await self._async_engine.connect()
        return cast("Connection", waited.sync_connection)

    def _free_connection(self) -> Connection | None:
        if self._pool.checkedin():
            try:
                with self._guard.deferring_tests():
                    return self._engine.connect()
            except MissingGreenlet:
                pass  # it has to be replaced, which takes time
        return None

    async def _answers(self, connection: Connection) -> bool:
        is_healthy = False
        try:
            is_healthy = await answers(_driver(connection))
        finally:
            if not is_healthy:
                connection.invalidate()
                connection.close()
        return is_healthy

    async def _run(
        self, connection: Connection, query: Query, send: "Send[Result]"
    ) -> tuple[Result, RowReader]:
        """Prepare a statement, and send its values. Return the result and how to read its rows."""
        driver = _driver(connection)
        statement = query.statement
        while True:
            call = self._compile(connection, statement, query.values)
            layouts = self._layouts.setdefault(call.compiled, {})
            layout = layouts.get(query.schema)
            if layout is None or layout.read is not None:
                with self.watch(call.sql):
                    prepared = await driver.prepared(call.sql, self._outdated)
                    if layout is None:
                        columns = prepared.get_attributes()
                        layout = layout_of(statement, query.schema, columns, connection.dialect)
                        layouts[query.schema] = layout
                    if layout.read is not None:
                        return await send(prepared, call.values), layout.read
            statement = layout.instead(statement)

    def _compile(
        self, connection: Connection, statement: Executable, values: Mapping[str, Any] | None
    ) -> Call:
        self._call = None
        connection.execute(statement, values)
        if self._call is None:
            raise TypeError("a reader runs one statement at a time: give it one set of values")
        return self._call

    def _capture(
        self, _cursor: object, sql: str, values: Sequence[Any], context: ExecutionContext
    ) -> bool:
        """Keep what SQLAlchemy would send, and say that it was sent."""
        if not context.execution_options.get(DIRECTLY):
            return False
        self._call = Call(cast("Compiled", context.compiled), sql, values)
        return True


async def _rows(prepared: "PreparedStatement[Any]", values: Sequence[Any]) -> list[asyncpg.Record]:
    return await prepared.fetch(*values)


def _driver(connection: Connection) -> PooledConnection:
    return cast("PooledConnection", connection.connection.driver_connection)
