"""Reads: rows of the database become the schemas of responses, without a session between."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

import asyncpg
from pydantic import BaseModel
from sqlalchemy import Executable, Select
from sqlalchemy.exc import MultipleResultsFound, NoResultFound

from ..lists import ListPage, ListQuery
from ..lists.statements import page_statement, page_values
from .direct import DirectConnections, Query, QueryWatch
from .errors import DatabaseUnavailable, TransactionConflict

if TYPE_CHECKING:
    from .replica import Replica

Result = TypeVar("Result")
Schema = TypeVar("Schema", bound=BaseModel)
Value = TypeVar("Value")
Values = Mapping[str, Any]
"""The values of a statement's parameters, by name."""

BATCH: Final = 500
"""Rows that a stream fetches at a time."""

NOT_THERE_YET: Final = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.UndefinedObjectError,  # a type
    asyncpg.InvalidSchemaNameError,
    asyncpg.InsufficientPrivilegeError,
)
"""Errors of a replica that did not apply the newest migration yet."""


class DatabaseReader:
    """Runs queries, each in its own snapshot. The server refuses to write.

    It belongs to no request or transaction: it may be used from any task, also after the response.
    A query does not see what an open session has not committed yet.
    """

    def __init__(self, connections: DirectConnections, replica: "Replica | None" = None) -> None:
        self.connections = connections
        self.replica = replica
        self.primary = DatabaseReader(connections) if replica else self
        """A reader that sees all that is committed: this one may read from a replica."""

    def watch_queries(self, watch: QueryWatch) -> None:
        """Run each query of this database in a context manager, for example to time it.

        Args:
            watch: called with the SQL of a query before it is sent. The block ends when the rows
                are there, the first batch in a stream, or with the driver's error.
        """
        self.connections.watch = watch
        if self.replica is not None:
            self.replica.reader.watch_queries(watch)

    async def one_or_none(
        self, statement: Executable, schema: type[Schema], values: Values | None = None
    ) -> Schema | None:
        """Return the row of a query, or None if there is none.

        Args:
            statement: a `select()`. What it selects is named as the fields of the schema.
            schema: what a row becomes.
            values: the values of the statement's parameters (`bindparam`).

        Raises:
            MultipleResultsFound: there is more than one.
            DatabaseError: a subclass for each kind of error.
            UnreadableStatementError: the statement does not fit the schema.
        """
        rows = await self.all(statement, schema, values)
        if len(rows) > 1:
            raise MultipleResultsFound("Multiple rows were found when one or none was required")
        return rows[0] if rows else None

    async def one(
        self, statement: Executable, schema: type[Schema], values: Values | None = None
    ) -> Schema:
        """Return the only row of a query.

        Raises:
            NoResultFound: there is none.
            MultipleResultsFound: there is more than one.
        """
        row = await self.one_or_none(statement, schema, values)
        if row is None:
            raise NoResultFound("No row was found when one was required")
        return row

    async def all(
        self, statement: Executable, schema: type[Schema], values: Values | None = None
    ) -> list[Schema]:
        """Return all rows of a query."""
        return await self._fetch(Query(statement, values, schema))

    @overload
    async def scalar(
        self, statement: Select[Value], values: Values | None = None
    ) -> Value | None: ...

    @overload
    async def scalar(self, statement: Executable, values: Values | None = None) -> Any: ...  # noqa: ANN401 - of any column

    async def scalar(self, statement: Executable, values: Values | None = None) -> Any:
        """Return the first column of the first row, or None if there is no row."""
        found = await self._fetch(Query(statement, values, None))
        return found[0] if found else None

    async def page(
        self, statement: Select[*tuple[Any, ...]], schema: type[Schema], query: ListQuery
    ) -> ListPage[Schema]:
        """Return the page of a list that a client asks for.

        Args:
            statement: selects the whole list, in any order. Keep it in a constant: then its pages
                are compiled once.
            schema: what a row becomes: the schema of the list.
            query: the filters, the sort and the place of the page.
        """
        found = await self.all(page_statement(statement, query), schema, page_values(query))
        return query.page(found)

    @asynccontextmanager
    async def stream(
        self, statement: Executable, schema: type[Schema], values: Values | None = None
    ) -> AsyncIterator[AsyncIterator[Schema]]:
        """Read the rows of a query in batches, with a cursor of the server, until the block ends.

        It holds a connection of the pool meanwhile. In the generator of a response's body, it
        lives as long as the response.
        """
        query = Query(statement, values, schema)
        async with AsyncExitStack() as stack:
            yield await self._try_replica(
                lambda connections: stack.enter_async_context(connections.stream(query, BATCH))
            )

    async def _fetch(self, query: Query) -> list[Any]:
        if self.replica is None:
            return await self.connections.fetch(query)
        return await self._try_replica(lambda connections: connections.fetch(query))

    async def _try_replica(self, read: Callable[[DirectConnections], Awaitable[Result]]) -> Result:
        """Read from the replica, or from the primary if that fails for a reason of the replica."""
        replica = self.replica
        if replica is not None and replica.problem is None:
            try:
                async with replica.reading():
                    return await read(replica.reader.connections)
            except TimeoutError:
                pass  # a check found that the replica no longer answers
            except DatabaseUnavailable:
                replica.lose()
            except (TransactionConflict, *NOT_THERE_YET):
                pass  # the replica had to apply a change of the rows, or lacks one of the schema
        return await read(self.connections)
