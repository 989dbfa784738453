"""Readers return rows as schemas, with the errors, limits and recovery of sessions."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import asyncpg
import pytest
from pydantic import BaseModel, Field
from sqlalchemy import (
    Engine,
    Executable,
    ForeignKey,
    bindparam,
    delete,
    event,
    func,
    literal,
    select,
    text,
    union_all,
)
from sqlalchemy.exc import MultipleResultsFound, NoResultFound
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, column_property, mapped_column
from sqlalchemy.orm import relationship as related

from orders.internal.database import (
    DatabaseReader,
    DatabaseSessionManager,
    DatabaseUnavailable,
    ReadOnlyError,
    SessionClosedError,
    StatementTimeout,
    UnreadableStatementError,
)
from orders.internal.database.pool_guard import PoolGuard
from orders.internal.lists import ListSchema

from .helpers import NOWHERE, settings


class Base(DeclarativeBase):
    """The metadata of the tables in these tests."""


class Shelf(Base):
    """A shelf."""

    __tablename__ = "shelves"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Book(Base):
    """A book, with columns that are hard to read."""

    __tablename__ = "books"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column("book_title")
    text: Mapped[str] = mapped_column(deferred=True)
    shelf_id: Mapped[int | None] = mapped_column(ForeignKey("shelves.id"))
    shelf: Mapped[Shelf | None] = related(lazy="joined")


class Square(Base):
    """A number with its square."""

    __tablename__ = "squares"

    id: Mapped[int] = mapped_column(primary_key=True)


Square.square = column_property(Square.id * Square.id)


class BookRead(BaseModel):
    """A book in responses."""

    id: int
    title: str


class ShelfRead(BaseModel):
    """A shelf in responses."""

    id: int
    name: str


class Placed(BaseModel):
    """Two entities in fields named after their classes."""

    Book: BookRead
    Shelf: ShelfRead | None


class Named(BaseModel):
    """Columns of a statement."""

    name: str
    number: int = 0


BOOKS = ListSchema(BookRead, starts_with=("title",), sort=("title",))
SQL = (
    "INSERT INTO shelves VALUES (1, 'top'), (2, 'low')",
    """INSERT INTO books SELECT n, 'Book ' || n, 'long', CASE WHEN n < 3 THEN 1 END
    FROM generate_series(1, 9) AS n""",
    "INSERT INTO squares VALUES (3)",
)
SLEEP = text("SELECT pg_sleep(10)")


@pytest.fixture(name="database")
async def _database(postgres: str) -> AsyncIterator[DatabaseSessionManager]:
    """A pool of one connection, and some books."""
    manager = DatabaseSessionManager.from_settings(
        settings(
            database_url=postgres,
            database_pool_size=1,
            database_pool_timeout=2,
            database_statement_timeout=2,
        )
    )
    async with manager.connect() as connection:
        await connection.run_sync(Base.metadata.create_all)
        for statement in SQL:
            await connection.execute(text(statement))
    yield manager
    await manager.close()


@pytest.fixture(name="reader")
def _reader(database: DatabaseSessionManager) -> DatabaseReader:
    return database.reader


async def test_an_entity_becomes_a_schema_by_its_attribute_names(
    reader: DatabaseReader,
) -> None:
    """Also if its columns have other names, or a relationship is loaded eagerly."""
    book = await reader.one(select(Book).where(Book.id == 1), BookRead)
    assert book == BookRead(id=1, title="Book 1")
    query = select(Shelf).where(Shelf.name == bindparam("name"))
    for name, found in (("low", ShelfRead(id=2, name="low")), ("none", None)):
        assert await reader.one_or_none(query, ShelfRead, {"name": name}) == found
    assert await reader.scalar(select(Book.title).where(Book.id == 2)) == "Book 2"
    assert await reader.scalar(select(Book.title).where(Book.id == 0)) is None


async def test_deferred_and_computed_columns_are_read_on_demand(
    reader: DatabaseReader,
) -> None:
    """A deferred column is read only if the schema has it."""

    class WholeBook(BookRead):
        text: str

    class SquareRead(BaseModel):
        square: int

    query = select(Book).where(Book.id == 1)
    assert (await reader.one(query, WholeBook)).text == "long"
    assert (await reader.one(select(Square), SquareRead)).square == 9


async def test_several_entities_are_nested_under_their_names(reader: DatabaseReader) -> None:
    """An entity that an outer join omits is None, as in a session's row."""
    query = select(Book, Shelf).outerjoin(Shelf, Shelf.id == Book.shelf_id).order_by(Book.id)
    rows = await reader.all(query, Placed)
    assert rows[1] == Placed(Book=BookRead(id=2, title="Book 2"), Shelf=ShelfRead(id=1, name="top"))
    assert rows[2].Shelf is None
    low = aliased(Shelf, name="low")

    class Both(BaseModel):
        id: int
        title: str
        low: ShelfRead

    beside = select(Book, low).join(low, low.id == literal(2)).where(Book.id == 1)
    assert await reader.one(beside, Both) == Both(
        id=1, title="Book 1", low=ShelfRead(id=2, name="low")
    )


async def test_any_select_becomes_a_schema_by_its_labels(
    reader: DatabaseReader,
) -> None:
    """Joins, aggregates, CTEs and SQL text with columns."""
    counts = (
        select(Shelf.name, func.count(Book.id).label("number"))
        .join(Book, Book.shelf_id == Shelf.id)
        .group_by(Shelf.name)
        .cte("counts")
    )
    expected = [Named(name="top", number=2)]
    assert await reader.all(select(counts), Named) == expected
    assert await reader.all(union_all(select(counts), select(counts)), Named) == expected * 2
    assert await reader.all(text("SELECT 'top' AS name, 2 AS number"), Named) == expected
    columns = text("SELECT name, 2 FROM shelves LIMIT 1").columns(Shelf.name, number=Book.id.type)
    assert await reader.all(columns, Named) == expected


async def test_lists_of_values_may_have_any_length(reader: DatabaseReader) -> None:
    """Also empty ones. The server prepares a statement for each length."""
    for ids in ([1], [1, 2, 3], [], [2]):
        found = await reader.all(select(Book).where(Book.id.in_(ids)), BookRead)
        assert [book.id for book in found] == ids


async def test_one_requires_exactly_one_row(reader: DatabaseReader) -> None:
    """As the results of a session do."""
    with pytest.raises(NoResultFound):
        await reader.one(select(Book).where(Book.id == 0), BookRead)
    for read in (reader.one, reader.one_or_none):
        with pytest.raises(MultipleResultsFound):
            await read(select(Book), BookRead)


class Unknown(BaseModel):
    """Has a field that no statement returns."""

    shelf: str = Field(alias="shelf")


@pytest.mark.parametrize(
    ("statement", "schema", "reason"),
    [
        (select(Book), Unknown, "gives no 'shelf', which Unknown needs"),
        (select(Book.id), BookRead, "gives no 'title', which BookRead needs"),
        (select(Book, Shelf).join(Shelf), ShelfRead, "gives 'id' twice"),
        (select(Book.id, Book.id + 1), BookRead, "has no name: give it one"),
        (delete(Book), BookRead, "runs SELECT statements"),
    ],
)
async def test_features_of_sessions_are_refused_with_what_to_do(
    reader: DatabaseReader, statement: Executable, schema: type[BaseModel], reason: str
) -> None:
    """Rows contain no relationships and lazy attributes."""
    with pytest.raises(UnreadableStatementError, match=reason):
        await reader.all(statement, schema)
    with pytest.raises(UnreadableStatementError, match="select a column"):
        await reader.scalar(select(Book))


async def test_any_statement_can_be_filtered_sorted_and_paged(reader: DatabaseReader) -> None:
    """The list's columns are columns of an entity, or labels."""
    query = BOOKS.query(title__startswith="Book", sort=["-title"], limit=2)
    shelved = select(Book).where(Book.shelf_id.is_not(None))
    labelled = select(Book.id, (Book.title + "!").label("title"))
    assert [book.id for book in (await reader.page(shelved, BookRead, query)).items] == [2, 1]
    page = await reader.page(labelled, BookRead, query)
    seen = [book.title for book in page.items]
    while page.next_cursor:
        cursor = page.next_cursor
        query = BOOKS.query(title__startswith="Book", sort=["-title"], limit=2, cursor=cursor)
        page = await reader.page(labelled, BookRead, query)
        seen += [book.title for book in page.items]
    assert seen == [f"Book {number}!" for number in range(9, 0, -1)]


async def test_a_stream_uses_a_server_side_cursor(
    reader: DatabaseReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads batches from one snapshot, and ends with its block."""
    monkeypatch.setattr("orders.internal.database.reader.BATCH", 2)
    async with reader.stream(select(Book).order_by(Book.id), BookRead) as books:
        assert [book.id async for book in books] == [*range(1, 10)]
    async with reader.stream(select(Book), BookRead) as books:
        await anext(books)
        await anext(books)
    with pytest.raises(SessionClosedError):
        await anext(books)
    assert await reader.scalar(select(func.count(Book.id))) == 9


@pytest.mark.parametrize(
    "statement",
    [
        text("UPDATE books SET book_title = ''"),
        select(delete(Book).returning(Book.id).cte()),
        text("DO $$ BEGIN DELETE FROM books; END $$"),
        select(Book.id).with_for_update(),
    ],
    ids=str,
)
async def test_the_server_refuses_to_write(reader: DatabaseReader, statement: Executable) -> None:
    """In any statement, also in a stream."""
    with pytest.raises(ReadOnlyError):
        await reader.scalar(statement)
    with pytest.raises(ReadOnlyError):
        async with reader.stream(statement, BaseModel) as rows:
            await anext(rows)
    assert await reader.scalar(select(func.count(Book.id))) == 9


async def test_a_reader_needs_one_round_trip(database: DatabaseSessionManager) -> None:
    """It opens no transaction, and the server parses a statement once per connection."""
    for number in range(3):
        await database.reader.all(select(Shelf).where(Shelf.id == number), ShelfRead)
    known = text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT sh%'")
    assert await database.reader.scalar(known) == 1
    now = text("SELECT now()")  # the start of the transaction
    assert await database.reader.scalar(now) < await database.reader.scalar(now)


async def test_reader_and_sessions_share_one_pool(database: DatabaseSessionManager) -> None:
    """Both wait in one queue for a connection, and time out."""
    async with database.session() as session:
        await session.execute(text("SELECT 1"))
        with pytest.raises(DatabaseUnavailable):
            await database.reader.scalar(text("SELECT 1"))
        waiting = asyncio.create_task(database.reader.scalar(text("SELECT 1")))
        await asyncio.sleep(0.05)
    assert await waiting == 1


async def test_readers_raise_the_errors_of_sessions(database: DatabaseSessionManager) -> None:
    """A slow statement, a bug of the service, a lost connection, an unavailable server."""
    with pytest.raises(StatementTimeout):
        await database.reader.scalar(SLEEP)
    with pytest.raises(asyncpg.UndefinedColumnError):
        await database.reader.scalar(text("SELECT nonsense"))
    with pytest.raises(DatabaseUnavailable):
        await database.reader.scalar(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert await database.reader.scalar(text("SELECT 1")) == 1
    away = DatabaseSessionManager()
    away.init(NOWHERE)
    with pytest.raises(DatabaseUnavailable):
        await away.reader.scalar(text("SELECT 1"))


async def test_an_error_of_the_caller_is_raised_unchanged(reader: DatabaseReader) -> None:
    """An OSError in the block of a stream does not count as a lost database."""
    with pytest.raises(FileNotFoundError):
        async with reader.stream(select(Book), BookRead):
            raise FileNotFoundError
    assert await reader.scalar(text("SELECT 1")) == 1


async def test_queries_can_be_watched(reader: DatabaseReader) -> None:
    """From sending a query until its rows are read: its duration, and its error."""
    watched: list[tuple[str, float, type[BaseException] | None]] = []

    @contextmanager
    def watch(sql: str) -> Iterator[None]:
        begun, error = monotonic(), None
        try:
            yield
        except BaseException as raised:
            error = type(raised)
            raise
        finally:
            watched.append((sql.split()[1], monotonic() - begun, error))

    reader.watch_queries(watch)
    await reader.scalar(text("SELECT 1, pg_sleep(0.1)"))
    async with reader.stream(text("SELECT 2 AS number FROM pg_sleep(0.1)"), BaseModel):
        pass
    with pytest.raises(asyncpg.UndefinedColumnError):
        await reader.scalar(text("SELECT three"))
    with pytest.raises(asyncpg.DivisionByZeroError):
        await reader.scalar(text("SELECT 4/0"))
    assert [(sql, error) for sql, _, error in watched] == [
        ("1,", None),
        ("2", None),
        ("three", asyncpg.UndefinedColumnError),
        ("4/0", asyncpg.DivisionByZeroError),
    ]
    assert all(seconds > 0.1 for _, seconds, _ in watched[:2])


async def test_a_cancelled_query_gives_its_connection_back(reader: DatabaseReader) -> None:
    """The next query sees nothing of it on the server."""
    task = asyncio.create_task(reader.scalar(SLEEP))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await reader.scalar(text("SELECT 1")) == 1


async def test_dead_and_silent_connections_fail_no_query(postgres: str) -> None:
    """Connections that the server dropped are replaced, and long idle ones are tested."""
    manager = DatabaseSessionManager()
    manager.init(postgres, pool_size=5, max_overflow=0, guard=PoolGuard(idle_limit=0))
    pid = text("SELECT pg_backend_pid() FROM pg_sleep(0.05)")
    first = {*await asyncio.gather(*(manager.reader.scalar(pid) for _ in range(5)))}
    assert {*await asyncio.gather(*(manager.reader.scalar(pid) for _ in range(5)))} == first
    killer = await asyncpg.connect(postgres)
    await killer.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await killer.close()
    found = {*await asyncio.gather(*(manager.reader.scalar(pid) for _ in range(5)))}
    assert len(found) == 5
    assert not found & first
    await manager.close()


async def test_a_query_after_a_migration_is_repeated(postgres: str) -> None:
    """Also if all connections of the pool have outdated statements."""
    manager = DatabaseSessionManager()
    manager.init(postgres, pool_size=2, max_overflow=0)
    query = text("SELECT name, number FROM thing, pg_sleep(0.05) WHERE kind = CAST(:kind AS kind)")
    admin = await asyncpg.connect(postgres)
    for change in (
        """CREATE TYPE kind AS ENUM ('a');
        CREATE TABLE thing (name varchar(9), number int, kind kind);
        INSERT INTO thing VALUES ('x', 1, 'a')""",
        "ALTER TABLE thing ALTER COLUMN name TYPE text",
        "ALTER TABLE thing ALTER COLUMN number TYPE bigint",
        """ALTER TYPE kind RENAME TO old; CREATE TYPE kind AS ENUM ('a', 'b');
        ALTER TABLE thing ALTER COLUMN kind TYPE kind USING kind::text::kind; DROP TYPE old""",
    ):
        await admin.execute(change)
        reads = (manager.reader.all(query, Named, {"kind": "a"}) for _ in range(4))
        assert await asyncio.gather(*reads) == [[Named(name="x", number=1)]] * 4
    await admin.close()
    await manager.close()


async def test_telemetry_sees_readers(database: DatabaseSessionManager) -> None:
    """SQLAlchemy's events fire for each query, as for statements of a session."""
    begun = list[str]()

    def begin(*call: Any) -> None:  # noqa: ANN401 - connection, cursor, statement, ...
        begun.append(call[2])

    event.listen(Engine, "before_cursor_execute", begin)
    await database.reader.scalar(text("SELECT 1"))
    event.remove(Engine, "before_cursor_execute", begin)
    assert begun == ["SELECT 1"]
