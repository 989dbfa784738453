"""One request is one transaction, committed before the answer, and repeated when it lost a race."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from fastapi import BackgroundTasks, FastAPI, Request
from httpx import AsyncClient
from sqlalchemy import delete, text

from orders.db import metadata
from orders.internal.database import DatabaseSessionManager, Session, TransactionConflict
from orders.internal.database.retry import ATTEMPTS
from orders.internal.database.session_manager import ReadOnlyError
from orders.main import create_app

from .helpers import serve, settings
from tests.harness import check_response

TABLES = """
CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL);
INSERT INTO account VALUES (1, 100), (2, 100);
CREATE TABLE unique_at_commit (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);
INSERT INTO unique_at_commit VALUES (1)
"""


@pytest.fixture(name="app")
async def _app(migrated_postgres: str) -> FastAPI:
    """The service, with endpoints that get transactions into trouble."""
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

    @app.post("/transfer/{one}/{other}")
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

    @app.post("/background")
    async def background(tasks: BackgroundTasks, request: Request) -> None:
        request.app.state.attempts += 1
        tasks.add_task(lose)

    async def lose() -> None:
        raise TransactionConflict("of another transaction")

    @app.post("/serialization-failure")
    async def serialization_failure(session: Session, request: Request) -> None:
        request.app.state.attempts += 1
        await session.execute(text("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$"))

    return app


@pytest.fixture(name="client")
async def _client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    async with serve(app) as client:
        database: DatabaseSessionManager = app.state.database
        async with database.connect() as connection:
            for statement in TABLES.split(";"):
                await connection.execute(text(statement))
        yield client


async def balances(app: FastAPI) -> list[int]:
    """Return what the accounts hold."""
    database: DatabaseSessionManager = app.state.database
    async with database.connect() as connection:
        return list(await connection.scalars(text("SELECT balance FROM account ORDER BY id")))


async def test_a_commit_that_fails_is_an_error_that_the_client_sees(client: AsyncClient) -> None:
    """The constraint is checked at the commit, after the endpoint has returned its answer."""
    response = await client.post("/duplicate")
    check_response(response, 409)
    assert "answered" not in response.text


async def test_an_error_undoes_the_whole_request(app: FastAPI, client: AsyncClient) -> None:
    """What was written before the error is not there afterwards."""
    check_response(await client.post("/fail"), 500)
    assert await balances(app) == [100, 100]


async def test_a_get_request_cannot_write(app: FastAPI, client: AsyncClient) -> None:
    """It is a bug of the service, found by the first test that tries, and nothing is written."""
    check_response(await client.get("/write"), 500)
    assert await balances(app) == [100, 100]


async def test_deadlocks_are_repeated_until_both_are_through(
    app: FastAPI, client: AsyncClient
) -> None:
    """Two requests that lock each other out both succeed, body and all, each once."""
    responses = await asyncio.gather(
        client.post("/transfer/1/2", json={"who": "first"}),
        client.post("/transfer/2/1", json={"who": "second"}),
    )
    assert [response.status_code for response in responses] == [200, 200]
    assert [response.json()["who"] for response in responses] == ["first", "second"]
    assert app.state.attempts > 2
    assert await balances(app) == [100, 100]


async def test_a_conflict_without_end_is_503(app: FastAPI, client: AsyncClient) -> None:
    """After the last attempt the client may try again itself."""
    response = await client.post("/serialization-failure")
    check_response(response, 503)
    assert response.headers["Retry-After"] == "1"
    assert app.state.attempts == ATTEMPTS


async def test_what_was_answered_is_not_repeated(app: FastAPI, client: AsyncClient) -> None:
    """A conflict of a task that runs after the answer is not the request's own."""
    assert (await client.post("/background")).status_code == 200
    assert app.state.attempts == 1


async def test_reading_sends_no_begin(app: FastAPI, client: AsyncClient) -> None:
    """A session that only reads is never in a transaction between its statements."""
    database: DatabaseSessionManager = app.state.database
    now = text("SELECT now()")  # the start of the transaction
    async with database.session(read_only=True) as session:
        assert await session.scalar(now) < await session.scalar(now)
    async with database.session() as session:
        assert await session.scalar(now) == await session.scalar(now)


@pytest.mark.parametrize("query", ["SELECT 1", "SELECT\n    1", "\n  select\t1", "SHOW\ntimezone"])
async def test_text_that_reads_may_be_laid_out_freely(
    app: FastAPI, client: AsyncClient, query: str
) -> None:
    """A line break after the first word, as in any longer query, makes no difference."""
    database: DatabaseSessionManager = app.state.database
    async with database.session(read_only=True) as session:
        assert await session.scalar(text(query)) is not None


@pytest.mark.parametrize("query", ["", "UPDATE\naccount SET balance = 0"])
async def test_text_that_does_not_read_is_refused(
    app: FastAPI, client: AsyncClient, query: str
) -> None:
    """So is text that says nothing."""
    database: DatabaseSessionManager = app.state.database
    with pytest.raises(ReadOnlyError):
        async with database.session(read_only=True) as session:
            await session.execute(text(query))


async def test_the_refusal_to_write_says_why(app: FastAPI, client: AsyncClient) -> None:
    """A developer who hits it reads what to do."""
    database: DatabaseSessionManager = app.state.database
    with pytest.raises(ReadOnlyError, match="read_only=True"):
        async with database.session(read_only=True) as session:
            await session.execute(delete(metadata.tables["products"]))
