"""Wraps every request: request id, log line, security headers, body limit, and error responses."""

import contextlib
import re
from collections.abc import Callable
from http import HTTPStatus
from time import perf_counter
from typing import Any, Final

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from ..resources import SERVICE
from .problems import UNHANDLED, ProblemKind, problem_for, problem_response
from .routing import body_limit

REQUEST_ID: Final = b"x-request-id"
ACCEPTABLE_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{8,128}")
"""Request ids that we accept from clients; others could forge log lines."""

TOO_LARGE: Final = ProblemKind(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    detail="The body is larger than this endpoint accepts.",
    headers={"Connection": "close"},
)

SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)

logger = structlog.get_logger(__name__)


class RequestMiddleware:
    """The outermost middleware of the service: it turns every exception into a response.

    Args:
        app: the application inside.
        max_body_size: bytes of a body; a route may have its own limit (`max_body_size=`).
    """

    def __init__(self, app: ASGIApp, *, max_body_size: int) -> None:
        self.app = app
        self._max_body_size = max_body_size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = _Request(scope, send)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request.id)
        try:
            limit = self._limit_of(scope) if request.has_body else 0
            if request.declared_size > limit:
                await problem_response(scope, TOO_LARGE)(scope, receive, request.send)
            elif request.chunked:
                await self.app(scope, _limit(receive, limit), request.send)
            else:
                await self.app(scope, receive, request.send)
        except Exception as error:  # noqa: BLE001 - the last place that can turn it into a response
            await self._answer(request, error, receive)
        finally:
            request.log()

    def _limit_of(self, scope: Scope) -> int:
        return body_limit(scope[SERVICE].served_routes.find(scope), self._max_body_size)

    async def _answer(self, request: "_Request", error: Exception, receive: Receive) -> None:
        response = problem_for(request.scope, error)
        if response is None:
            _log(logger.error, "unhandled error", exc_info=error)
            response = problem_response(request.scope, UNHANDLED)
        elif response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            reason, name = str(error), type(error).__name__
            _log(logger.warning, "request failed", reason=reason, error=name)
        if request.status is not None:
            # The response has started: only a broken connection can tell the client.
            raise error
        await response(request.scope, receive, request.send)


class _Request:
    """A request in progress: its id, the size of its body, and the status of its response."""

    __slots__ = ("_send", "_started", "chunked", "declared_size", "id", "scope", "status")

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self.status: int | None = None
        self.declared_size = 0
        self.chunked = False
        self._send = send
        self._started = perf_counter()
        self.id = self._read_headers()
        scope.setdefault("state", {})["request_id"] = self.id

    def _read_headers(self) -> str:
        chosen = None
        for name, value in self.scope["headers"]:
            if name == REQUEST_ID:
                chosen = value
            elif name == b"content-length" and value.isdigit():
                self.declared_size = int(value)
            elif name == b"transfer-encoding":
                self.chunked = True
        if chosen is not None and ACCEPTABLE_REQUEST_ID.fullmatch(chosen):
            return str(chosen, "ascii")
        return uuid7().hex

    @property
    def has_body(self) -> bool:
        return self.chunked or self.declared_size > 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message["headers"], (REQUEST_ID, self.id.encode()), *SECURITY_HEADERS]
            if self.scope[SERVICE].draining:
                # Send the client's next request to another replica.
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        await self._send(message)

    def log(self) -> None:
        with contextlib.suppress(Exception):
            write = logger.debug if self.scope["state"].get("quiet") else logger.info
            write(
                "request",
                method=self.scope["method"],
                path=self.scope["path"],
                status=self.status,
                duration_ms=round((perf_counter() - self._started) * 1000, 2),
            )


def _log(write: Callable[..., Any], event: str, **values: Any) -> None:  # noqa: ANN401 - any value may be logged
    """Log; an error of the service's own logging configuration does not fail the request."""
    with contextlib.suppress(Exception):
        write(event, **values)


def _limit(receive: Receive, size: int) -> Receive:
    """Return a `receive` that refuses a body of unknown length after `size` bytes."""
    remaining = size

    async def limited() -> Message:
        nonlocal remaining
        message = await receive()
        remaining -= len(message.get("body", b""))
        if remaining < 0:
            raise HTTPException(TOO_LARGE.status, TOO_LARGE.detail, dict(TOO_LARGE.headers))
        return message

    return limited
