"""Helpers for several of these tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from orders.internal.http.openapi import Application
from orders.main import create_app
from orders.settings import Settings

NOWHERE = "postgresql://user:planted-password@127.0.0.1:1/nowhere"
"""The URL of a database without a server: port 1 refuses every connection."""


def settings(**changes: Any) -> Settings:  # noqa: ANN401 - whatever the settings take
    """Return settings that need no environment."""
    return Settings(
        **{"environment": "test", "database_url": NOWHERE, "_env_file": None, **changes}
    )


@asynccontextmanager
async def serve(app: FastAPI, root_path: str = "") -> AsyncIterator[AsyncClient]:
    """Run the application and yield a client that returns errors as responses."""
    transport = ASGITransport(app, raise_app_exceptions=False, root_path=root_path)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield client


@asynccontextmanager
async def serve_on(
    url: str,
    **changes: Any,  # noqa: ANN401 - whatever the settings take
) -> AsyncIterator[tuple[Application, AsyncClient]]:
    """Run the application on a database; yield it and its client."""
    app = create_app(settings(database_url=url, **changes))
    async with serve(app) as client:
        yield app, client
