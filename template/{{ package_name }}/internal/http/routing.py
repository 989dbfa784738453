"""Finds the route that will serve a request, and answers HEAD wherever GET is answered."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..resources import SERVICE

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PUBLIC: Final = "public_endpoint"

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def public(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint as open to every caller.

    Write `@public` directly below the decorator of the route: a function that wraps a public
    endpoint is not public itself. An application to mount is marked by a call:
    `router.mount("/api/v1/assets", public(StaticFiles(directory="assets")))`.
    """
    # The endpoint, and not True: `functools.wraps` and subclasses copy the attribute.
    setattr(endpoint, PUBLIC, endpoint)
    return endpoint


def is_public(route: RouteContext) -> bool:
    """Return whether `public` marks the endpoint, or the mounted application, of a route."""
    endpoint = route.endpoint or getattr(route, "app", None)
    return endpoint is not None and getattr(endpoint, PUBLIC, None) is endpoint


def body_limit(route: RouteContext | None, default: int) -> int:
    """Return how many bytes of a body a route accepts: its `max_body_size`, or the default."""
    limit: int | None = getattr(route, "max_body_size", None)
    return default if limit is None else limit


class Routes:
    """All routes of an application, in the order in which it tries them."""

    def __init__(self, app: FastAPI) -> None:
        self._routes = [(_literal_start(route), route) for route in iter_route_contexts(app.routes)]

    def __iter__(self) -> Iterator[RouteContext]:
        """Iterate over the routes."""
        return (route for _, route in self._routes)

    def find(self, scope: Scope) -> RouteContext | None:
        """Return the route that serves a request, or None if it will be refused (404 or 405)."""
        path, prefix = scope["path"], scope.get("root_path", "")
        for start, route in self._routes:
            # Comparing texts is many times faster than asking the route.
            is_likely = path.startswith((start, prefix + start))
            if is_likely and route.matches(scope)[0] is Match.FULL:
                return route
        return None

    def exists(self, scope: Scope, path: str) -> bool:
        """Return whether there is a route at a path, for GET or another method."""
        request = {**scope, "path": path, "method": "GET"}
        return any(route.matches(request)[0] is not Match.NONE for route in self)

    def other_slash(self, scope: Scope) -> str | None:
        """Return the path with or without its final slash, if only that path has a route."""
        path: str = scope["path"]
        other = path.rstrip("/") if path.endswith("/") else f"{path}/"
        if path.startswith("//") or self.exists(scope, path) or not self.exists(scope, other):
            return None
        return other

    def methods(self, scope: Scope) -> list[str]:
        """Return the methods that the path of a request allows; HEAD comes with GET."""
        allowed = [method for method in METHODS if self.find({**scope, "method": method})]
        if "GET" in allowed and "HEAD" not in allowed:
            allowed.insert(1, "HEAD")
        return allowed


def _literal_start(route: RouteContext) -> str:
    """Return the text with which each path of a route begins; it may be empty."""
    pattern: re.Pattern[str] | None = getattr(route, "path_regex", None)
    if pattern is None or pattern.flags & re.IGNORECASE:
        return ""
    return (route.path or "").partition("{")[0]


class HeadMiddleware:
    """Answers HEAD with the status and headers of GET, where no route answers HEAD itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        if not is_head or scope[SERVICE].served_routes.find(scope):
            await self.app(scope, receive, send)
            return
        await self.app({**scope, "method": "GET"}, receive, _without_body(send))


def _without_body(send: Send) -> Send:
    """Return a `send` that ends the response after its headers, so that no long body is made."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_head
