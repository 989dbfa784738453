"""The phases of a start, printed as JSON; runs in a rendered service's folder."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("fastapi", "sqlalchemy.ext.asyncio", "asyncpg", "structlog", "uvicorn", "uvloop")
"""The third-party packages that take longest to import."""

PATH = "/api/v1/products"
SECONDS: dict[str, float] = {}


def main() -> None:
    """Import, create and start the application, send it a request, and print the seconds."""
    with phase("third-party packages"):
        import_module("orders")  # sets the thresholds of the garbage collector
        for name in PACKAGES:
            import_module(name)
    with phase("the service's modules"):
        application: Any = import_module("orders.main")
    with phase("application created"):
        app = application.create_app()
    uvloop: Any = import_module("uvloop")
    uvloop.run(start(app))
    print(json.dumps(SECONDS))


async def start(app: Any) -> None:  # noqa: ANN401 - the service's application
    """Start the application, and answer a request."""
    opened = app.router.lifespan_context(app)
    with phase("resources started"):
        await opened.__aenter__()
    with phase("first request"):
        await request(app)
    await opened.__aexit__(None, None, None)


async def request(app: Any) -> None:  # noqa: ANN401 - the service's application
    """Send a request for a list to the application."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }

    async def receive() -> dict[str, object]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        if message.get("status", 200) != 200:  # noqa: PLR2004 - HTTP's
            sys.exit(f"the request was answered with {message['status']}")

    await app(scope, receive, send)


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Record the seconds that the block takes."""
    started = time.perf_counter()
    yield
    SECONDS[name] = time.perf_counter() - started


if __name__ == "__main__":
    main()
