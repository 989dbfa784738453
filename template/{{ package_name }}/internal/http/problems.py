"""Convert every error to a problem document (RFC 9457)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import Response
from pydantic import BaseModel, Field
from starlette.types import Scope

from ..resources import SERVICE

MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    """An error in one part of the request."""

    location: str = Field(examples=["body.price"])
    message: str
    type: str


class Problem(BaseModel):
    """An error response (RFC 9457)."""

    type: str = Field(examples=["about:blank"])
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[FieldError] | None = None
    details: Any = None


@dataclass(frozen=True)
class ProblemKind:
    """The response to an exception: its status, and after how many seconds to retry.

    `detail` replaces the exception's message, if clients must not see it.
    """

    status: int
    detail: str | None = None
    retry_after: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


UNHANDLED = ProblemKind(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    detail="The service failed to answer. The request id leads to what happened in its logs.",
)


def problem_for(scope: Scope, error: Exception) -> Response | None:
    """Return the response to an error, or None if no feature defines one."""
    kinds: Mapping[type[Exception], ProblemKind] = scope[SERVICE].problems
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
    **more: object,
) -> Response:
    """Return a response with a problem of this kind.

    Args:
        scope: of the request.
        kind: the status, headers and default detail.
        detail: what is wrong, for people.
        type_: the URN by which clients distinguish errors.
        errors: what is wrong with each part of the request.
        **more: further members of the problem, as plain JSON.
    """
    title, description = _words(kind.status)
    body: dict[str, Any] = {
        "type": type_,
        "title": title,
        "status": int(kind.status),
        "detail": detail or kind.detail or description or title,
        "instance": scope["path"],
        "request_id": scope.get("state", {}).get("request_id", ""),
        **more,
    }
    if errors is not None:
        body["errors"] = [error.model_dump() for error in errors]
    headers = dict(kind.headers)
    if kind.retry_after is not None:
        headers["Retry-After"] = str(kind.retry_after)
    # Escaped to ASCII, because a path or message may contain a lone surrogate, invalid in UTF-8.
    content = json.dumps(body, ensure_ascii=True)
    return Response(content, int(kind.status), headers, media_type=MEDIA_TYPE)


def _words(status: int) -> tuple[str, str]:
    """Return the title and the description of a status, even of an unnamed one."""
    try:
        named = HTTPStatus(status)
    except ValueError:
        return ("Server error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "Error"), ""
    return named.phrase, named.description
