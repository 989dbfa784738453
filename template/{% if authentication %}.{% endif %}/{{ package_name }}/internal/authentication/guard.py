"""Requires a token for every route that is not public, in services that adopted this default."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from ..config.service_settings import ServiceSettings
from ..http.framework_errors import redirect
from ..http.openapi import Application, problem_responses
from ..http.problems import ProblemKind, problem_response
from ..http.routing import Routes, is_public
from ..resources import SERVICE, resources_of
from .dependencies import SCHEME, authenticate

SINCE: Final = (1, 4)
"""The first release whose defaults (`Settings.template_defaults`) guard the routes."""

POLICY_VIOLATION: Final = 1008
"""The code that closes a WebSocket (RFC 6455, section 7.4.1)."""


def guards(settings: ServiceSettings) -> bool:
    """Return whether each route of this service needs a token, unless it is public."""
    return settings.template_defaults >= SINCE


class GuardMiddleware:
    """Refuses a request without a valid token, unless its route is public.

    This covers endpoints, WebSockets and mounted applications. A path without a route is refused
    as well, so that a kind of route that the guard does not find needs a token too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan" or self._is_open(scope):
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            await authenticate(connection, await SCHEME(connection))
        except HTTPException as error:
            if path := self._public_path(scope):
                await redirect(scope, path)(scope, receive, send)
            else:
                await _refuse(error, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _is_open(self, scope: Scope) -> bool:
        if not guards(resources_of(scope).get(ServiceSettings)):
            return True
        route = scope[SERVICE].served_routes.find(scope)
        return route is not None and is_public(route)

    def _public_path(self, scope: Scope) -> str | None:
        """Return the path with or without its final slash, if only that one exists and is open."""
        routes: Routes = scope[SERVICE].served_routes
        path = routes.other_slash(scope) if scope["type"] == "http" else None
        route = routes.find({**scope, "path": path}) if path else None
        return path if route and is_public(route) else None


async def _refuse(error: HTTPException, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocketClose(POLICY_VIOLATION, error.detail)(scope, receive, send)
        return
    kind = ProblemKind(error.status_code, headers=error.headers or {})
    await problem_response(scope, kind, detail=error.detail)(scope, receive, send)


def describe(app: Application, document: dict[str, Any]) -> None:
    """Add to the OpenAPI document which operations need a token, and how they refuse."""
    is_guarded = guards(app.resources.get(ServiceSettings))
    for route, operation in app.operations(document):
        if is_guarded and not is_public(route):
            operation.setdefault("security", [{SCHEME.scheme_name: []}])
        if "security" in operation:
            refusals = problem_responses(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
            documented = {str(int(status)): response for status, response in refusals.items()}
            operation["responses"] = documented | operation["responses"]
    if is_guarded:
        schemes = document["components"].setdefault("securitySchemes", {})
        schemes[SCHEME.scheme_name] = SCHEME.model.model_dump(
            mode="json", by_alias=True, exclude_none=True
        )


def open_routes(app: Application) -> Iterator[RouteContext]:
    """Give each route that can be called without a token."""
    is_guarded = guards(app.resources.get(ServiceSettings))
    for route in Routes(app):
        dependant: Dependant | None = getattr(route, "dependant", None)
        if (is_public(route) or not is_guarded) and not _authenticates(dependant):
            yield route


def _authenticates(dependant: Dependant | None) -> bool:
    """Return whether an endpoint, or one of its dependencies, requires a token."""
    if dependant is None:
        return False
    return dependant.call is authenticate or any(map(_authenticates, dependant.dependencies))
