"""Differences between a response and the expectation are reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.harness.services import Service

TESTS = r"""
import pytest
from httpx import Request, Response
from marshmallow import Schema, fields

from tests.harness import check_response


class PartSchema(Schema):
    size = fields.Integer(strict=True)


class ThingSchema(Schema):
    name = fields.String()
    parts = fields.List(fields.Nested(PartSchema))
    note = fields.String(load_default=None)


GOOD = {"name": "lamp", "parts": [{"size": 1}]}
PROBLEM = {
    "type": "about:blank", "title": "Conflict", "status": 409, "detail": "No.",
    "instance": "/things", "request_id": "1",
}


def answer(status: int, body: object, media_type: str = "application/json") -> Response:
    request = Request("POST", "http://test/things", json={"sent": "this"})
    headers = {"content-type": media_type}
    return Response(status, json=body, headers=headers, request=request)


def test_good_answers_pass() -> None:
    assert check_response(answer(200, {"data": GOOD}), 200, ThingSchema) == GOOD
    page = {"data": [GOOD, GOOD], "page": {"next_cursor": None}}
    assert check_response(answer(200, page), 200, ThingSchema(), many=True) == [GOOD, GOOD]
    assert check_response(Response(204, request=Request("DELETE", "http://test/")), 204) is None
    page["page"]["previous_cursor"] = "x"
    assert check_response(answer(200, page), 200, ThingSchema, many=True) == [GOOD, GOOD]
    problem = answer(409, PROBLEM, "application/problem+json")
    assert check_response(problem, 409)["title"] == "Conflict"


def body(status: int, content: bytes, media_type: str) -> Response:
    request = Request("GET", "http://test/things")
    return Response(status, content=content, headers={"content-type": media_type}, request=request)


def test_lists_without_pages_and_other_media_types_pass() -> None:
    things = answer(200, {"data": [GOOD]})
    assert check_response(things, 200, ThingSchema, many=True, paged=False) == [GOOD]
    table = body(200, b"name\nlamp\n", "text/csv; charset=utf-8")
    assert check_response(table, 200, media_type="text/csv") == "name\nlamp\n"
    image = body(200, b"\x89PNG", "image/png")
    assert check_response(image, 200, media_type="image/png") == b"\x89PNG"
    assert check_response(body(404, b"no", "text/plain"), 404, media_type="text/plain") == "no"
    assert check_response(Response(202, request=things.request), 202, media_type=None) is None


@pytest.mark.parametrize(
    ("response", "options", "fault"),
    [
        (answer(200, {"data": GOOD}), {"many": True, "paged": False}, "data is not a list"),
        (
            answer(200, {"data": [GOOD], "page": {"next_cursor": None}}),
            {"many": True, "paged": False},
            "the unknown key 'page'",
        ),
        (answer(200, {"data": GOOD}), {"media_type": "text/csv"}, "application/json, not text/csv"),
        (answer(200, {"data": GOOD}), {"media_type": None}, "the body is not empty"),
        (body(200, b"{", "application/json"), {}, "the body is not JSON"),
    ],
)
def test_other_faults_are_named(response: Response, options: dict, fault: str) -> None:
    with pytest.raises(AssertionError) as caught:
        check_response(response, 200, ThingSchema, **options)
    assert fault in str(caught.value).splitlines()[0]


@pytest.mark.parametrize(
    ("response", "many", "fault"),
    [
        (answer(201, {"data": GOOD}), False, "the status is 201, not 200"),
        (answer(200, {"data": GOOD}, "text/html"), False, "the media type is text/html"),
        (answer(200, GOOD), False, "has no envelope"),
        (answer(200, [GOOD]), False, "has no envelope"),
        (answer(200, {"data": GOOD, "more": 1}), False, "the unknown key 'more'"),
        (answer(200, {"data": [GOOD]}), True, "no 'page'"),
        (answer(200, {"data": [GOOD], "page": {}}), True, "page.next_cursor: Missing data"),
        (answer(200, {"data": [GOOD]}), False, "data is a list"),
        (answer(200, {"data": GOOD, "page": {"next_cursor": None}}), True, "data is not a list"),
        (answer(200, {"data": {**GOOD, "colour": 1}}), False, "data.colour: Unknown field."),
        (answer(200, {"data": {"parts": []}}), False, "data.name: Missing data"),
        (answer(200, {"data": {**GOOD, "name": 3}}), False, "data.name: Not a valid string."),
        (
            answer(200, {"data": {**GOOD, "parts": [{"size": 1}, {}]}}),
            False,
            "data.parts[1].size: Missing data",
        ),
        (
            answer(200, {"data": {**GOOD, "parts": [{"size": 1, "x": 2}]}}),
            False,
            "data.parts[0].x: Unknown field.",
        ),
    ],
)
def test_bad_answers_are_named(response: Response, many: bool, fault: str) -> None:
    with pytest.raises(AssertionError) as caught:
        check_response(response, 200, ThingSchema, many=many)
    message = str(caught.value)
    assert fault in message.splitlines()[0]
    assert "Request: POST http://test/things" in message
    assert '{"sent":"this"}' in message
    assert f"Answer: {response.status_code}" in message
    assert "lamp" in message or "parts" in message


@pytest.mark.parametrize(
    ("changes", "media_type", "fault"),
    [
        ({"status": 400}, "application/problem+json", "the problem's status is 400, not 409"),
        ({"stack": "x"}, "application/problem+json", "the problem.stack: Unknown field."),
        ({}, "application/json", "the media type is application/json"),
    ],
)
def test_bad_problems_are_named(changes: dict, media_type: str, fault: str) -> None:
    with pytest.raises(AssertionError, match=fault):
        check_response(answer(409, {**PROBLEM, **changes}, media_type), 409)
"""


def test_check_response_reports_the_first_difference(service: Service) -> None:
    """Status, media type, envelope, page, unknown, missing and wrong fields, problems."""
    service.write("tests/test_answers.py", TESTS)
    run = service.test("tests/test_answers.py")
    assert run.code == 0, run.output


def test_a_failure_shows_the_line_of_the_test(service: Service) -> None:
    """The traceback ends in the line that called `check_response`."""
    service.write(
        "tests/test_answers.py",
        """
        from httpx import AsyncClient
        from tests.harness import check_response

        async def test_answer(api_client: AsyncClient) -> None:
            check_response(await api_client.get("/nonesuch"), 200)
        """,
    )
    run = service.test("tests/test_answers.py")
    assert "the status is 404, not 200" in run.output
    assert '"title": "Not Found"' in run.output
    assert "def check_response" not in run.output
