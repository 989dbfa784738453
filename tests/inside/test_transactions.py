"""One request is one transaction, committed before the response, and repeated after a conflict."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request
from httpx import AsyncClient
from sqlalchemy import Executable, delete, select, text
from sqlalchemy.exc import DBAPIError
from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.testing import capture_logs

from orders.db import metadata
from orders.internal.database import (
    DatabaseSessionManager,
    ReadOnlyError,
    Session,
    TransactionConflict,
    UniqueViolation,
    repeat_on_conflict,
)
from orders.internal.database.session import ATTEMPTS
from orders.main import create_app

from .helpers import serve, settings
from tests.harness import check_response

TABLES = """
CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL);
INSERT INTO account VALUES (1, 100), (2, 100);
CREATE TABLE strict (name text NOT NULL, parent int REFERENCES account);
CREATE TABLE unique_at_commit (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);
INSERT INTO unique_at_commit VALUES (1)
"""


@pytest.fixture(name="app")
async def _app(migrated_postgres: str) -> FastAPI:
    """The service, with endpoints whose transactions fail."""
    app = create_app(settings(database_url=str(migrated_postgres)))
    app.state.attempts = 0

    @app.post("/duplicate")
    async def duplicate(session: Session) -> str:
        await session.execute(text("INSERT INTO unique_at_commit VALUES (1)"))
        return "answered before the commit"

    @app.post("/fail")
    async def fail(session: Session) -> None:
        await session.execute(text("UPDATE account SET balance = 0"))
        raise ZeroDivisionError

    @app.get("/write")
    async def write(session: Session) -> None:
        await session.execute(text("UPDATE account SET balance = 0"))

    @app.post("/transfer/{one}/{other}", dependencies=[Depends(repeat_on_conflict)])
    async def transfer(one: int, other: int, session: Session, request: Request) -> object:
        request.app.state.attempts += 1
        body = await request.json()
        for account, change in ((one, -1), (other, 1)):
            await session.execute(
                text("UPDATE account SET balance = balance + :change WHERE id = :id"),
                {"change": change, "id": account},
            )
            await asyncio.sleep(0.1)
        return body

    add_failing_endpoints(app)
    app.add_middleware(Noting, seen=app.state)
    return app


def add_failing_endpoints(app: FastAPI) -> None:
    """Add endpoints whose transactions conflict, and one that sets a value on its request."""

    @app.post("/background")
    async def background(tasks: BackgroundTasks, request: Request) -> None:
        request.app.state.attempts += 1
        tasks.add_task(lose)

    async def lose() -> None:
        raise TransactionConflict("of another transaction")

    @app.post("/pay")
    async def pay(session: Session, request: Request) -> None:
        request.app.state.attempts += 1  # a call of another service
        await session.execute(text("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$"))

    @app.post("/insert")
    async def insert(sql: str, session: Session) -> None:
        await session.execute(text(sql))

    @app.post("/noted")
    async def noted(request: Request) -> None:
        request.state.tenant = "acme"

    @app.post("/serialization-failure", dependencies=[Depends(repeat_on_conflict)])
    async def serialization_failure(session: Session, request: Request) -> None:
        request.app.state.attempts += 1
        await session.execute(text("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$"))


class Noting:
    """A service's middleware, which reads a value that an endpoint set on its request."""

    def __init__(self, app: ASGIApp, seen: State) -> None:
        self.app = app
        self.seen = seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and record the value."""
        await self.app(scope, receive, send)
        if scope["type"] == "http":
            self.seen.tenant = scope["state"].get("tenant")
            self.seen.route = scope.get("route")


@pytest.fixture(name="client")
async def _client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    async with serve(app) as client:
        database: DatabaseSessionManager = app.state.database
        async with database.connect() as connection:
            for statement in TABLES.split(";"):
                await connection.execute(text(statement))
        yield client


@pytest.fixture(name="single")
async def _single(postgres: str) -> AsyncIterator[DatabaseSessionManager]:
    """A pool of one connection."""
    manager = DatabaseSessionManager()
    manager.init(str(postgres), pool_size=1, max_overflow=0, pool_timeout=2)
    yield manager
    await manager.close()


async def balances(app: FastAPI) -> list[int]:
    """Return the balances of the accounts."""
    database: DatabaseSessionManager = app.state.database
    async with database.connect() as connection:
        return list(await connection.scalars(text("SELECT balance FROM account ORDER BY id")))


async def test_a_failed_commit_is_an_error_for_the_client(client: AsyncClient) -> None:
    """The constraint is checked at the commit, after the endpoint has returned."""
    response = await client.post("/duplicate")
    check_response(response, 409)
    assert "answered" not in response.text


async def test_an_error_rolls_back_the_whole_request(app: FastAPI, client: AsyncClient) -> None:
    """Writes before the error are rolled back."""
    check_response(await client.post("/fail"), 500)
    assert await balances(app) == [100, 100]


async def test_a_get_request_cannot_write(app: FastAPI, client: AsyncClient) -> None:
    """It is a bug of the service, which fails the first test of it, and writes nothing."""
    check_response(await client.get("/write"), 500)
    assert await balances(app) == [100, 100]


async def test_deadlocks_are_repeated_until_both_succeed(app: FastAPI, client: AsyncClient) -> None:
    """Two requests that deadlock both succeed with their bodies, once each."""
    responses = await asyncio.gather(
        client.post("/transfer/1/2", json={"who": "first"}),
        client.post("/transfer/2/1", json={"who": "second"}),
    )
    assert [response.status_code for response in responses] == [200, 200]
    assert [response.json()["who"] for response in responses] == ["first", "second"]
    assert app.state.attempts > 2
    assert await balances(app) == [100, 100]


async def test_a_permanent_conflict_is_503(app: FastAPI, client: AsyncClient) -> None:
    """After the last attempt, the client may try again."""
    response = await client.post("/serialization-failure")
    check_response(response, 503)
    assert response.headers["Retry-After"] == "1"
    assert app.state.attempts == ATTEMPTS


async def test_a_request_is_not_repeated_after_its_response(
    app: FastAPI, client: AsyncClient
) -> None:
    """A conflict in a background task does not repeat the request."""
    assert (await client.post("/background")).status_code == 200
    assert app.state.attempts == 1


async def test_reading_opens_no_transaction(app: FastAPI, client: AsyncClient) -> None:
    """A session that only reads is not in a transaction between its statements."""
    database: DatabaseSessionManager = app.state.database
    now = text("SELECT now()")  # the start of the transaction
    async with database.session(read_only=True) as session:
        assert await session.scalar(now) < await session.scalar(now)
    async with database.session() as session:
        assert await session.scalar(now) == await session.scalar(now)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1",
        "\n  select\t1",
        "SHOW\ntimezone",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "-- a comment\nSELECT 1",
        "(SELECT 1)",
        "EXPLAIN SELECT 1",
    ],
)
async def test_a_statement_that_reads_is_allowed(
    app: FastAPI, client: AsyncClient, query: str
) -> None:
    """The server decides whether a statement writes, not its first word."""
    database: DatabaseSessionManager = app.state.database
    async with database.session(read_only=True) as session:
        assert await session.scalar(text(query)) is not None


@pytest.mark.parametrize(
    "query",
    [
        text("UPDATE account SET balance = 0"),
        text("WITH gone AS (DELETE FROM account RETURNING id) SELECT * FROM gone"),
        text("SELECT id FROM account FOR UPDATE"),
        text("EXPLAIN ANALYZE DELETE FROM account"),
        text("DO $$ BEGIN DELETE FROM account; END $$"),
        delete(metadata.tables["products"]),
        select(
            delete(metadata.tables["products"]).returning(metadata.tables["products"].c.id).cte()
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["session", "snapshot"])
async def test_a_write_is_refused_in_a_session_for_reading(
    app: FastAPI, client: AsyncClient, query: Executable, kind: str
) -> None:
    """However it is written. The message says which session to use."""
    database: DatabaseSessionManager = app.state.database
    context = database.snapshot() if kind == "snapshot" else database.session(read_only=True)
    with pytest.raises(ReadOnlyError, match=r"async with database\.session\(\) as session"):
        async with context as session:
            await session.execute(query)
    assert await balances(app) == [100, 100]


async def test_a_connection_is_read_only_again_after_a_write(
    single: DatabaseSessionManager,
) -> None:
    """Whether its transaction was committed, rolled back or refused at the commit."""
    async with single.session() as session:
        await session.execute(text("CREATE TABLE t (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
        await session.execute(text("INSERT INTO t VALUES (1)"))
    for write in ("INSERT INTO t VALUES (1)", "SELECT 1 / 0", "INSERT INTO t VALUES (2)"):
        with contextlib.suppress(UniqueViolation, DBAPIError):
            async with single.session() as session:
                await session.execute(text(write))
        with pytest.raises(ReadOnlyError):
            async with single.session(read_only=True) as session:
                await session.execute(text("DELETE FROM t"))
    async with single.session(read_only=True) as session:
        assert await session.scalar(text("SELECT count(*) FROM t")) == 2


async def test_a_conflict_is_repeated_only_if_the_route_allows_it(
    app: FastAPI, client: AsyncClient
) -> None:
    """An endpoint that calls other services must not silently call them twice."""
    response = await client.post("/pay")
    check_response(response, 503)
    assert response.headers["Retry-After"] == "1"
    assert app.state.attempts == 1


async def test_middleware_sees_values_that_an_endpoint_sets(
    app: FastAPI, client: AsyncClient
) -> None:
    """A repeatable request has only one scope, as every other."""
    assert (await client.post("/noted")).status_code == 200
    assert app.state.tenant == "acme"
    assert app.state.route.path == "/noted"


@pytest.mark.parametrize(
    ("sql", "status", "names"),
    [
        ("INSERT INTO strict (name) VALUES (NULL)", 500, {"table": "strict", "column": "name"}),
        ("INSERT INTO account VALUES (1, 1)", 409, {"constraint": "account_pkey"}),
        ("INSERT INTO strict VALUES ('a', 9)", 409, {"constraint": "strict_parent_fkey"}),
    ],
)
async def test_a_violated_constraint_is_logged_by_name(
    client: AsyncClient, sql: str, status: int, names: dict[str, str]
) -> None:
    """NOT NULL is a fault of the service, others may be the client's. No log has values."""
    with capture_logs() as logs:
        check_response(await client.post("/insert", params={"sql": sql}), status)
    [warning] = [entry for entry in logs if entry["event"] == "constraint violated"]
    assert warning["log_level"] == "warning"
    assert names.items() <= warning.items()
