"""Checks a whole answer of the service: status, media type, envelope and body."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from httpx import Response
from marshmallow import RAISE, Schema, ValidationError, fields
from marshmallow import missing as MISSING  # noqa: N812 - a constant

SHOWN = 4000
JSON = "application/json"


class PageSchema(Schema):
    """Where the pages beside a page start."""

    next_cursor = fields.String(required=True, allow_none=True)
    previous_cursor = fields.String(load_default=None, allow_none=True)


class FieldErrorSchema(Schema):
    """An error in one part of a request."""

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


def check_response(  # noqa: PLR0913 - each says what one part of the answer must be
    response: Response,
    status: int,
    schema: type[Schema] | Schema | None = None,
    *,
    many: bool = False,
    paged: bool = True,
    media_type: str | None = JSON,
) -> Any:  # noqa: ANN401 - as JSON is
    """Check every part of an answer, and return its contents.

    Args:
        response: the answer.
        status: the HTTP status it must have.
        schema: of `data`, or of the problem if the status is an error (`ProblemSchema` when left
            out). Unknown fields are refused, missing ones too unless they have a `load_default`.
        many: whether `data` is a list.
        paged: whether a list is a page, with cursors under `page`.
        media_type: what a success must be, such as `text/csv`; None if it must have no body.

    Returns:
        JSON: the value of `data`. A problem: all of it. Text: a string. Other media types: bytes.
        No body: None.

    Raises:
        AssertionError: shows the first fault, the request and the answer.
    """
    __tracebackhide__ = True
    if status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        media_type = None
    elif status >= HTTPStatus.BAD_REQUEST and media_type == JSON:
        media_type = "application/problem+json"
    fault = _head_fault(response, status, media_type)
    contents: Any = None
    if fault is None and media_type is not None:
        contents, fault = _contents(response, media_type)
    if fault is None and media_type == JSON:
        fault = _success_fault(contents, schema, many=many, paged=many and paged)
        contents = contents["data"] if fault is None else None
    elif fault is None and media_type == "application/problem+json":
        fault = _problem_fault(contents, status, schema or ProblemSchema)
    if fault:
        raise AssertionError(f"{fault}\n\n{_describe(response)}")
    return contents


def _head_fault(response: Response, status: int, media_type: str | None) -> str | None:
    if response.status_code != status:
        return f"the status is {response.status_code}, not {status}"
    if media_type is None:
        return "the body is not empty" if response.content else None
    actual = response.headers.get("content-type", "").partition(";")[0].strip()
    if actual != media_type:
        return f"the media type is {actual or 'missing'}, not {media_type}"
    return None


def _contents(response: Response, media_type: str) -> tuple[Any, str | None]:
    """Return the body parsed by its media type, and the error in it."""
    if media_type.startswith("text/"):
        return response.text, None
    if media_type != JSON and not media_type.endswith("+json"):
        return response.content, None
    try:
        return response.json(), None
    except ValueError as error:
        return None, f"the body is not JSON: {error}"


def _problem_fault(body: Any, status: int, schema: type[Schema] | Schema) -> str | None:  # noqa: ANN401
    fault = _first_fault(schema, body, "the problem", many=False)
    if fault is None and body["status"] != status:
        return f"the problem's status is {body['status']}, not {status}"
    return fault


def _success_fault(
    body: Any,  # noqa: ANN401 - as JSON is
    schema: type[Schema] | Schema | None,
    *,
    many: bool,
    paged: bool,
) -> str | None:
    expected = {"data", "page"} if paged else {"data"}
    if not isinstance(body, dict) or "data" not in body:
        return "the body has no envelope: it must be an object with the key 'data'"
    if set(body) != expected:
        extra, missing = sorted(set(body) - expected), sorted(expected - set(body))
        fault = f"the unknown key {extra[0]!r}" if extra else f"no {missing[0]!r}"
        return f"the envelope has {fault}"
    data_fault = _first_fault(schema, body["data"], "data", many=many) if schema else None
    if data_fault or not paged:
        return data_fault
    return _first_fault(PageSchema, body["page"], "page", many=False)


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
        return f"{name} is {'not a list' if many else 'a list'}"
    try:
        instance.load(value, many=many, unknown=RAISE)
    except ValidationError as error:
        return _first_message(name, error.messages)
    return None


def _demand_all_fields(schema: Schema, parents: tuple[type[Schema], ...] = ()) -> None:
    """Make fields required that have no default, in nested schemas too."""
    if type(schema) in parents:
        return
    for field in schema.fields.values():
        field.required = field.load_default is MISSING
        item = field.inner if isinstance(field, fields.List) else field
        if isinstance(item, fields.Nested):
            item.unknown = RAISE
            _demand_all_fields(item.schema, (*parents, type(schema)))


def _first_message(path: str, messages: object) -> str:
    """Return the first message of marshmallow's tree, with the path that leads to it."""
    while isinstance(messages, Mapping) and messages:
        key, messages = next(iter(messages.items()))
        if key != "_schema":
            path += f"[{key}]" if isinstance(key, int) else f".{key}"
    message = messages[0] if isinstance(messages, list) and messages else messages
    return f"{path}: {message}"


def _describe(response: Response) -> str:
    request = response.request
    sent = request.content.decode(errors="replace") if request.content else ""
    try:
        body = json.dumps(response.json(), indent=2, ensure_ascii=False)
    except ValueError:
        body = response.text
    answer = f"{response.status_code} {response.headers.get('content-type', '')}".strip()
    lines = [f"Request: {request.method} {request.url}", sent, f"Answer: {answer}", body]
    return "\n".join(line[:SHOWN] for line in lines if line)
