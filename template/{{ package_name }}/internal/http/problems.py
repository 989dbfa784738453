"""Every error is answered as a problem (RFC 9457), from one place."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

MEDIA_TYPE = "application/problem+json"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class FieldError(BaseModel):
    """What is wrong with one part of the request."""

    location: str = Field(examples=["body.price"])
    message: str
    type: str


class Problem(BaseModel):
    """An error as clients see it (RFC 9457)."""

    type: str = Field(examples=["about:blank"])
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[FieldError] | None = None


@dataclass(frozen=True)
class ProblemKind:
    """How an exception is answered: its status, and for how long clients should hold back.

    `detail` replaces the exception's own words where these must not be shown.
    """

    status: HTTPStatus
    detail: str | None = None
    retry_after: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


UNHANDLED = ProblemKind(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    detail="The service failed to answer. The request id leads to what happened in its logs.",
)


def install_problems(app: FastAPI, kinds: Mapping[type[Exception], ProblemKind]) -> None:
    """Answer the exceptions in `kinds`, and those of the framework itself, as problems."""
    app.state.problems = dict(kinds)
    app.add_exception_handler(RequestValidationError, _answer_validation_error)
    app.add_exception_handler(HTTPException, _answer_http_exception)


def problem_for(scope: Scope, error: Exception) -> Response | None:
    """Return the answer to `error`, or None where nobody has said how to answer it."""
    kinds: Mapping[type[Exception], ProblemKind] = scope["app"].state.problems
    for cls in type(error).__mro__:
        if kind := kinds.get(cls):
            urn = getattr(error, "problem_type", "about:blank")
            return problem_response(scope, kind, detail=kind.detail or str(error), type_=urn)
    return None


def problem_response(
    scope: Scope,
    kind: ProblemKind,
    *,
    detail: str | None = None,
    type_: str = "about:blank",
    errors: Sequence[FieldError] | None = None,
) -> Response:
    """Return a response that carries a problem of this kind."""
    body: dict[str, Any] = {
        "type": type_,
        "title": kind.status.phrase,
        "status": kind.status.value,
        "detail": detail or kind.detail or kind.status.description,
        "instance": scope["path"],
        "request_id": scope.get("state", {}).get("request_id", ""),
    }
    if errors is not None:
        body["errors"] = [error.model_dump() for error in errors]
    headers = dict(kind.headers)
    if kind.retry_after is not None:
        headers["Retry-After"] = str(kind.retry_after)
    # Escaped to ASCII: a path or message may hold a lone surrogate, which UTF-8 has no bytes for.
    content = json.dumps(body, ensure_ascii=True)
    return Response(content, kind.status.value, headers, media_type=MEDIA_TYPE)


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
    status = HTTPStatus(error.status_code)
    if status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return Response(status_code=status, headers=error.headers)
    headers = dict(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed_methods(request.scope))
    kind = ProblemKind(status, headers=headers)
    detail = error.detail if error.detail != status.phrase else status.description
    return problem_response(request.scope, kind, detail=detail)


def _allowed_methods(scope: Scope) -> list[str]:
    """Return the methods of all routes at this path; the framework names those of the first."""
    asked = {name: scope[name] for name in ("type", "path", "root_path", "headers")}
    return [
        method
        for method in METHODS
        if any(
            route.matches({**asked, "method": method})[0] is Match.FULL
            for route in scope["app"].routes
        )
    ]


async def _answer_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class alone
    errors = [
        FieldError(
            location=".".join(str(part) for part in item["loc"]),
            message=item["msg"].removeprefix("Value error, "),
            type=item["type"],
        )
        for item in error.errors()
    ]
    kind = ProblemKind(HTTPStatus.UNPROCESSABLE_ENTITY)
    detail = "The request does not have the right form: `errors` says where."
    return problem_response(request.scope, kind, detail=detail, errors=errors)
