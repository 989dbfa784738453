"""The route of a request is known before the framework runs its endpoint."""

import re

import pytest
from fastapi import APIRouter
from starlette.applications import Starlette
from starlette.routing import Route

from orders.internal.http.routing import Routes
from orders.main import create_app

from .helpers import settings


async def endpoint() -> None:
    """Return nothing."""


@pytest.fixture(name="routes", scope="module")
def _routes() -> Routes:
    """The routes of an application with paths of every kind."""
    app = create_app(settings())
    things = APIRouter(prefix="/things")
    for path in ("", "/{number:int}", "/{name}", "/café (old)"):
        things.add_api_route(path, endpoint)
    outer = APIRouter(prefix="/outer")
    outer.include_router(things)
    app.include_router(things)
    app.include_router(outer)
    app.mount("/mounted", Starlette())
    app.add_api_route("/{anything}/end", endpoint)
    app.router.routes.append(any_case := Route("/AnyCase", endpoint))
    any_case.path_regex = re.compile("^/anycase$", re.IGNORECASE)
    return Routes(app)


@pytest.mark.parametrize("prefix", ["", "/proxy", "/things"])
@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/things", "/things"),
        ("/things/7", "/things/{number:int}"),
        ("/things/lamp", "/things/{name}"),
        ("/outer/things/café (old)", "/outer/things/{name}"),
        ("/mounted/file", "/mounted"),
        ("/some/end", "/{anything}/end"),
        ("/api/v1/products", "/api/v1/products"),
        ("/anycase", "/AnyCase"),
        ("/Things", None),
        ("/thing", None),
        ("/nowhere", None),
    ],
)
def test_a_route_is_found_by_its_path(
    routes: Routes, path: str, route: str | None, prefix: str
) -> None:
    """The first matching route, also behind a proxy that adds a prefix (ASGI's `root_path`)."""
    scope = {"type": "http", "method": "GET", "path": prefix + path, "root_path": prefix}
    found = routes.find(scope)
    assert (found and found.path) == route
    assert routes.find({**scope, "method": "TRACE"}) is None or path == "/mounted/file"
