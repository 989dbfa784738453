"""Publishing needs an open session that may write."""

import asyncio
import json
from collections.abc import Sequence

import asyncpg
import pytest
from fastapi import BackgroundTasks
from sqlalchemy import text
from structlog.testing import capture_logs

from orders.internal.database import DatabaseSessionManager, ReadOnlyError, SessionClosedError
from orders.internal.http.openapi import Application
from orders.internal.kafka import Producer, producer_for
from orders.internal.kafka.cloud_events import BATCH_EVENTS
from orders.main import create_app

from ..helpers import serve, settings
from .test_events import Happened
from tests.harness.kafka.messages import eventually

EVENT = Happened(about="a", number=1)


@pytest.fixture(name="app")
def _app(migrated_postgres: str) -> Application:
    """The service, with endpoints that publish where they must not."""
    app = create_app(settings(database_url=str(migrated_postgres)))

    @app.get("/report")
    async def report(producer: Producer) -> None:
        await producer.publish(EVENT)

    @app.post("/later")
    async def later(producer: Producer, tasks: BackgroundTasks) -> None:
        tasks.add_task(producer.publish, EVENT)

    return app


@pytest.mark.parametrize(
    ("method", "path", "error"),
    [("GET", "/report", ReadOnlyError), ("POST", "/later", SessionClosedError)],
)
async def test_publishing_on_the_wrong_session_is_refused(
    app: Application, migrated_postgres: str, method: str, path: str, error: type[Exception]
) -> None:
    """The message names the session to use, and no event is saved."""
    with capture_logs() as logs:
        async with serve(app) as client:
            await client.request(method, path)
    [raised] = [entry["exc_info"] for entry in logs if entry["event"] == "unhandled error"]
    assert type(raised) is error
    assert "async with database.session()" in str(raised)
    connection = await asyncpg.connect(str(migrated_postgres))
    try:
        assert await connection.fetchval("SELECT count(*) FROM internal.outbox") == 0
        assert await connection.fetchval("SELECT last_value FROM internal.outbox_id_seq") == 1
    finally:
        await connection.close()


async def test_a_batch_is_saved_in_its_order(app: Application, migrated_postgres: str) -> None:
    """The ids follow the order of the events, with any number of statements."""
    number = 2 * BATCH_EVENTS + 1
    async with serve(app), app.resources.get(DatabaseSessionManager).session() as session:
        producer = producer_for(app.resources, session)
        await producer.publish_all(
            Happened(about=f"{value % 7}", number=value) for value in range(number)
        )
        await producer.publish_all(())
        rows = await session.execute(text("SELECT value FROM internal.outbox ORDER BY id"))
        saved = [json.loads(value)["number"] for value in rows.scalars()]
    assert saved == list(range(number))


async def test_batches_with_the_same_keys_do_not_deadlock(
    app: Application, migrated_postgres: str
) -> None:
    """Batches lock all their keys first, in the same order."""
    numbers = range(BATCH_EVENTS + 100)

    async def publish(database: DatabaseSessionManager, order: Sequence[int]) -> None:
        async with database.session() as session:
            await producer_for(app.resources, session).publish_all(
                Happened(about=f"key-{number}", number=number) for number in order
            )

    async with serve(app):
        database = app.resources.get(DatabaseSessionManager)
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(publish(database, numbers))
                group.create_task(publish(database, numbers[::-1]))
        async with database.session(read_only=True) as session:
            saved = await session.scalar(text("SELECT count(*) FROM internal.outbox"))
    assert saved == 6 * len(numbers)


async def test_a_batch_waits_for_an_open_batch_with_its_key(
    app: Application, migrated_postgres: str
) -> None:
    """Ids have the order of commits, also for the last event of a batch."""
    async with serve(app):
        database = app.resources.get(DatabaseSessionManager)

        async def publish_later() -> None:
            async with database.session() as session:
                await producer_for(app.resources, session).publish(Happened(about="last", number=2))

        async with database.session() as session:
            events = [Happened(about="first", number=0), Happened(about="last", number=1)]
            await producer_for(app.resources, session).publish_all(events)
            later = asyncio.create_task(publish_later())
            await eventually(lambda: waiting_locks(migrated_postgres), 1)
        await later
        async with database.session(read_only=True) as session:
            rows = await session.execute(text("SELECT value FROM internal.outbox ORDER BY id"))
    assert [json.loads(value)["number"] for value in rows.scalars()] == [0, 1, 2]


async def waiting_locks(url: str) -> int:
    """Return how many transactions of this database wait for an advisory lock."""
    connection = await asyncpg.connect(url)
    try:
        return int(
            await connection.fetchval(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND "
                "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        )
    finally:
        await connection.close()
