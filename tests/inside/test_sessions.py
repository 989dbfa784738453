"""A session ends with its request. Later use fails at once and takes no connection."""

import asyncio
import csv
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse
from httpx import AsyncClient
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from orders.domain.product.enums import ProductStatus
from orders.domain.product.model import Product
from orders.internal.database import Database, DatabaseSessionManager, Session, SessionClosedError
from orders.internal.http.streaming import StreamedResponse
from orders.main import create_app

from .helpers import serve, settings

ROWS = 100_000
NUMBERS = text(
    "SELECT n, 'a name of some length ' || n FROM generate_series(1, :rows) AS n"
).bindparams(rows=ROWS)
BUSY = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
)


async def lines(database: DatabaseSessionManager) -> AsyncGenerator[str, None]:
    """Export many rows in batches."""
    async with database.snapshot() as session:
        rows = await session.stream(NUMBERS)
        async for batch in rows.partitions(1000):
            yield "".join(f"{number},{name}\r\n" for number, name in batch)


async def late(session: AsyncSession) -> AsyncGenerator[str, None]:
    """Stream a body with the session of the request."""
    for name in await session.scalars(select(Product.name)):
        yield name


@pytest.fixture(name="app")
async def _app(migrated_postgres: str) -> FastAPI:
    """The service with a pool of two, and with endpoints that keep their sessions."""
    app = create_app(
        settings(database_url=str(migrated_postgres), database_pool_size=2, database_pool_timeout=1)
    )
    add_late_uses(app)

    @app.get("/export")
    async def export(database: Database) -> StreamedResponse:
        return StreamedResponse(lines(database), media_type="text/csv")

    @app.get("/stream-too-late")
    async def stream_too_late(session: Session) -> StreamedResponse:
        return StreamedResponse(late(session), media_type="text/plain")

    return app


def add_late_uses(app: FastAPI) -> None:
    """Add endpoints whose background tasks use the session or connection of the request."""

    async def use(task: Any) -> None:  # noqa: ANN401 - whatever was left
        app.state.error = None
        try:
            await task()
        except Exception as error:
            app.state.error = error
            raise

    def add(session: AsyncSession) -> Any:  # noqa: ANN401 - a coroutine function
        async def work() -> None:
            session.add(Product(sku="LATE", name="late", price=1))
            await session.flush()

        return work

    @app.post("/late/{kind}")
    async def late_use(kind: str, session: Session, tasks: BackgroundTasks) -> None:
        result = await session.stream(NUMBERS)
        await result.fetchone()
        connection = await session.connection()
        works = {
            "execute": lambda: session.execute(text("SELECT 1")),
            "scalars": lambda: session.scalars(select(Product)),
            "get": lambda: session.get(Product, "0" * 32),
            "add": add(session),
            "commit": session.commit,
            "stream": lambda: session.stream(NUMBERS),
            "result": result.fetchmany,
            "connection": lambda: connection.execute(text("SELECT 1")),
        }
        tasks.add_task(use, works[kind])

    @app.get("/late-core")
    async def late_core(database: Database, tasks: BackgroundTasks) -> None:
        async with database.connect() as connection:
            pass
        tasks.add_task(use, lambda: connection.execute(text("SELECT 1")))

    @app.get("/plain-stream")
    async def plain_stream(session: Session) -> StreamingResponse:
        return StreamingResponse(late(session), media_type="text/plain")


@pytest.fixture(name="client")
async def _client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    async with serve(app) as client:
        yield client


async def busy(app: FastAPI) -> int:
    """Return the number of connections left in a transaction."""
    database: DatabaseSessionManager = app.state.database
    async with database.session(read_only=True) as session:
        return int(await session.scalar(BUSY) or 0)


@pytest.mark.parametrize(
    "kind", ["execute", "scalars", "get", "add", "commit", "stream", "result", "connection"]
)
async def test_a_background_task_cannot_use_the_requests_session(
    app: FastAPI, client: AsyncClient, kind: str
) -> None:
    """It fails at once with what to do, is logged, and takes no connection."""
    with capture_logs() as logs:
        for _ in range(3):
            assert (await client.post(f"/late/{kind}")).status_code == 200
            assert app.state.error is not None
    errors = [entry["exc_info"] for entry in logs if entry["event"] == "unhandled error"]
    assert [type(error) for error in errors] == [SessionClosedError] * 3
    assert "async with database.session()" in str(errors[0])
    assert await busy(app) == 0


async def test_a_connection_is_closed_after_its_block(app: FastAPI, client: AsyncClient) -> None:
    """The same holds for a session and a connection."""
    with capture_logs() as logs:
        await client.get("/late-core")
    [error] = [entry["exc_info"] for entry in logs if entry["event"] == "unhandled error"]
    assert isinstance(error, SessionClosedError)


@pytest.mark.parametrize("path", ["/stream-too-late", "/plain-stream"])
async def test_a_streamed_body_cannot_use_the_requests_session(
    app: FastAPI, client: AsyncClient, path: str
) -> None:
    """More of these requests than connections do not exhaust the pool."""
    with capture_logs() as logs:
        for _ in range(4):
            response = await client.get(path)
            assert response.status_code == (500 if path == "/stream-too-late" else 200)
    errors = [entry["exc_info"] for entry in logs if entry["event"] == "unhandled error"]
    assert [type(error) for error in errors] == [SessionClosedError] * 4
    assert (await client.get("/api/v1/products")).status_code == 200
    assert await busy(app) == 0


class Client:
    """A client of an ASGI application that can read slowly and disconnect."""

    def __init__(self, app: FastAPI, hang_up_after: float = float("inf")) -> None:
        self._app = app
        self._rest = hang_up_after
        self.body_size = 0
        self.rows = 0
        self._gone = asyncio.Event()

    async def get(self, path: str) -> None:
        """Send a GET request."""
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "scheme": "http",
            "http_version": "1.1",
            "query_string": b"",
            "headers": [],
            "client": ("test", 1),
            "server": ("test", 80),
            "asgi": {"version": "3.0", "spec_version": "2.3"},
        }
        await self._app(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:  # noqa: ANN401 - an ASGI message
        piece = message.get("body", b"")
        self.body_size += len(piece)
        self.rows += piece.count(b"\r\n")
        self._rest -= bool(piece)
        if self._rest <= 0:
            self._gone.set()
            await asyncio.sleep(60)


async def test_an_export_needs_constant_memory(app: FastAPI, client: AsyncClient) -> None:
    """A hundred thousand rows are never in memory at once."""
    await Client(app).get("/export")
    export = Client(app)
    tracemalloc.start()
    await export.get("/export")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert export.rows == ROWS
    assert export.body_size > 3_000_000
    assert peak < 1_500_000


async def test_an_export_survives_disconnecting_clients(app: FastAPI, client: AsyncClient) -> None:
    """With more of them than connections, each connection is returned at once."""
    for _ in range(4):
        export = Client(app, hang_up_after=3)
        async with asyncio.timeout(60):
            await export.get("/export")
        assert 0 < export.rows < ROWS
        assert await busy(app) == 0
    response = await client.get("/export")
    assert len(list(csv.reader(response.text.splitlines()))) == ROWS


async def test_a_snapshot_does_not_see_later_commits(app: FastAPI, client: AsyncClient) -> None:
    """The next snapshot sees them."""
    database: DatabaseSessionManager = app.state.database
    count = text("SELECT count(*) FROM products")
    async with database.snapshot() as session:
        before = await session.scalar(count)
        response = await client.post(
            "/api/v1/products", json={"sku": "SNAP-1", "name": "n", "price": "1"}
        )
        assert response.status_code == 201
        assert await session.scalar(count) == before
    async with database.snapshot() as session:
        assert await session.scalar(count) == before + 1


async def test_an_object_can_be_read_after_its_session(app: FastAPI, client: AsyncClient) -> None:
    """Loaded columns can be read. Nothing else is loaded implicitly."""
    database: DatabaseSessionManager = app.state.database
    async with database.session() as session:
        product = Product(sku="KEPT-1", name="kept", price=1, status=ProductStatus.DRAFT)
        session.add(product)
    assert product.name == "kept"
    assert product.id is not None
