"""Checks an answer of the service whole: status, media type, envelope and body."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from httpx import Response
from marshmallow import RAISE, Schema, ValidationError, fields
from marshmallow import missing as MISSING  # noqa: N812 - a constant

SHOWN = 4000


class PageSchema(Schema):
    """Where the next page of a list starts."""

    next_cursor = fields.String(required=True, allow_none=True)


class FieldErrorSchema(Schema):
    """What is wrong with one part of a request."""

    location = fields.String(required=True)
    message = fields.String(required=True)
    type = fields.String(required=True)


class ProblemSchema(Schema):
    """An error (RFC 9457). Give a subclass to `check_response` where an error says more."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True, strict=True)
    detail = fields.String(required=True)
    instance = fields.String(required=True)
    request_id = fields.String(required=True)
    errors = fields.List(fields.Nested(FieldErrorSchema), load_default=None)
    details = fields.Raw(load_default=None)


def check_response(
    response: Response,
    status: int,
    schema: type[Schema] | Schema | None = None,
    *,
    many: bool = False,
) -> Any:  # noqa: ANN401 - as JSON is
    """Return what the answer carries, having checked all of it.

    Args:
        response: the answer.
        status: the HTTP status it must have.
        schema: what is under `data`, or for an error what the problem looks like, which is
            `ProblemSchema` when left out. Unknown fields are refused, missing ones too, unless
            they have a `load_default`.
        many: whether `data` is a page of things.

    Returns:
        For a success what is under `data`, for an error the problem, None if there is no body.

    Raises:
        AssertionError: with the request, the answer, and the first thing that is not as it must be.
    """
    __tracebackhide__ = True
    fault, found = _examine(response, status, schema, many=many)
    if fault:
        raise AssertionError(f"{fault}\n\n{_describe(response)}")
    return found


def _examine(
    response: Response, status: int, schema: type[Schema] | Schema | None, *, many: bool
) -> tuple[str | None, Any]:
    """Return the first fault, if any, and what the answer carries."""
    if response.status_code != status:
        return f"the status is {response.status_code}, not {status}", None
    if status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return ("the body is not empty" if response.content else None), None
    is_error = status >= HTTPStatus.BAD_REQUEST
    wanted = "application/problem+json" if is_error else "application/json"
    media_type = response.headers.get("content-type", "").partition(";")[0].strip()
    if media_type != wanted:
        return f"the media type is {media_type or 'missing'}, not {wanted}", None
    try:
        body = response.json()
    except ValueError as error:
        return f"the body is not JSON: {error}", None
    if is_error:
        return _problem_fault(body, status, schema or ProblemSchema), body
    return _success_fault(body, schema, many=many), body.get("data") if _is_object(body) else None


def _problem_fault(body: Any, status: int, schema: type[Schema] | Schema) -> str | None:  # noqa: ANN401
    fault = _first_fault(schema, body, "the problem", many=False)
    if fault is None and body["status"] != status:
        return f"the problem's status is {body['status']}, not {status}"
    return fault


def _success_fault(body: Any, schema: type[Schema] | Schema | None, *, many: bool) -> str | None:  # noqa: ANN401
    wanted = {"data", "page"} if many else {"data"}
    if not _is_object(body) or "data" not in body:
        return "the body has no envelope: it must be an object with the key 'data'"
    if set(body) != wanted:
        extra, lost = sorted(set(body) - wanted), sorted(wanted - set(body))
        return f"the envelope has {f'the unknown key {extra[0]!r}' if extra else f'no {lost[0]!r}'}"
    fault = _first_fault(schema, body["data"], "data", many=many) if schema else None
    return fault or (_first_fault(PageSchema, body["page"], "page", many=False) if many else None)


def _first_fault(
    schema: type[Schema] | Schema,
    value: Any,  # noqa: ANN401 - as JSON is
    name: str,
    *,
    many: bool,
) -> str | None:
    instance = schema() if isinstance(schema, type) else schema
    _demand_all_fields(instance)
    if many != isinstance(value, list):
        return f"{name} is {'no list' if many else 'a list'}"
    try:
        instance.load(value, many=many, unknown=RAISE)
    except ValidationError as error:
        return _first_message(name, error.messages)
    return None


def _demand_all_fields(schema: Schema, outer: tuple[type[Schema], ...] = ()) -> None:
    """Make fields required that have no default, in nested schemas too."""
    if type(schema) in outer:
        return
    for field in schema.fields.values():
        field.required = field.load_default is MISSING
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            inner.unknown = RAISE
            _demand_all_fields(inner.schema, (*outer, type(schema)))


def _first_message(path: str, messages: object) -> str:
    """Return the first message of marshmallow's tree, with the path that leads to it."""
    while isinstance(messages, Mapping) and messages:
        key, messages = next(iter(messages.items()))
        if key != "_schema":
            path += f"[{key}]" if isinstance(key, int) else f".{key}"
    first = messages[0] if isinstance(messages, list) and messages else messages
    return f"{path}: {first}"


def _is_object(body: object) -> bool:
    return isinstance(body, dict)


def _describe(response: Response) -> str:
    request = response.request
    sent = request.content.decode(errors="replace") if request.content else ""
    try:
        got = json.dumps(response.json(), indent=2, ensure_ascii=False)
    except ValueError:
        got = response.text
    answer = f"{response.status_code} {response.headers.get('content-type', '')}".strip()
    lines = [f"Request: {request.method} {request.url}", sent, f"Answer: {answer}", got]
    return "\n".join(line[:SHOWN] for line in lines if line)
