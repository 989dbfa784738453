"""Publishing is writing: it needs a session that writes, and one that is still open."""

import asyncpg
import pytest
from fastapi import BackgroundTasks, FastAPI
from structlog.testing import capture_logs

from orders.internal.database import ReadOnlyError, SessionClosedError
from orders.internal.kafka import Producer
from orders.main import create_app

from ..helpers import serve, settings
from .test_events import Happened

EVENT = Happened(about="a", number=1)


@pytest.fixture(name="app")
def _app(migrated_postgres: str) -> FastAPI:
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
    app: FastAPI, migrated_postgres: str, method: str, path: str, error: type[Exception]
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
