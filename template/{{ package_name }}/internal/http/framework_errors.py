"""The framework's own errors, answered as problems."""

from http import HTTPStatus
from http.client import responses
from typing import Any, Final
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.types import Scope

from ..resources import SERVICE
from .problems import UNHANDLED, FieldError, ProblemKind, problem_response
from .routing import Routes

WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT, HTTPStatus.NOT_MODIFIED})
STATUSES = range(200, 600)
"""The valid statuses of a response."""

JSON: Final = TypeAdapter[Any](Any)
logger = structlog.get_logger(__name__)


def install_problems(app: FastAPI) -> None:
    """Answer the framework's own errors as problems."""
    app.add_exception_handler(RequestValidationError, _answer_validation_error)
    app.add_exception_handler(HTTPException, _answer_http_exception)


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
    status = error.status_code
    if status not in STATUSES:
        logger.error("not a status of HTTP", status=status, exc_info=error)
        return problem_response(request.scope, UNHANDLED)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        cause = error.__context__ if not error.__suppress_context__ else error.__cause__
        logger.error("request failed", status=status, reason=error.detail, exc_info=cause)
    if status in WITHOUT_BODY:
        return Response(status_code=status, headers=error.headers)
    routes: Routes = request[SERVICE].served_routes
    if status == HTTPStatus.NOT_FOUND and (path := routes.other_slash(request.scope)):
        return redirect(request.scope, path)
    headers = dict(error.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(routes.methods(request.scope))
    return _problem(request.scope, ProblemKind(status, headers=headers), error.detail)


def _problem(scope: Scope, kind: ProblemKind, detail: object) -> Response:
    """Return a problem whose detail may be any JSON, as FastAPI allows."""
    if isinstance(detail, str):
        is_default = detail == responses.get(kind.status)
        return problem_response(scope, kind, detail=None if is_default else detail)
    details = JSON.dump_python(detail, mode="json", fallback=str)
    return problem_response(scope, kind, details=details)


def redirect(scope: Scope, path: str) -> Response:
    """Redirect a request to another path of this service.

    The location is not a complete URL: behind a proxy, the service does not know its scheme and
    host.
    """
    query = scope["query_string"].decode("latin-1")
    location = quote(path, safe="/:@!$&'()*+,;=~") + (f"?{query}" if query else "")
    return Response(status_code=HTTPStatus.TEMPORARY_REDIRECT, headers={"Location": location})


async def _answer_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class alone
    errors: list[dict[str, Any]] = list(error.errors())
    if isinstance(error.body, bytes) and any(_is_unread(item) for item in errors):
        return _other_media_type(request)
    fields = [
        FieldError(
            location=".".join(str(part) for part in item["loc"]),
            message=item["msg"].removeprefix("Value error, "),
            type=item["type"],
        )
        for item in errors
    ]
    kind = ProblemKind(HTTPStatus.UNPROCESSABLE_ENTITY)
    detail = "The request is invalid: see `errors`."
    return problem_response(request.scope, kind, detail=detail, errors=fields)


def _is_unread(error: dict[str, Any]) -> bool:
    """Return whether the body was not parsed at all, because of its media type."""
    kind: str = error["type"]
    return error["loc"][0] == "body" and (kind == "missing" or kind.endswith("_type"))


def _other_media_type(request: Request) -> Response:
    # FastAPI leaves a body without a JSON media type as bytes.
    sent = request.headers.get("content-type")
    sent_as = f"as {sent!r}" if sent else "without a Content-Type"
    kind = ProblemKind(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    detail = f"The body was sent {sent_as}: send it as application/json."
    return problem_response(request.scope, kind, detail=detail)
