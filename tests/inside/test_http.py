"""Every response has an id and safe headers, and every error is a problem."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import pytest
from fastapi import APIRouter, Body, HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from httpx import AsyncClient

from orders.internal.http.openapi import Application
from orders.main import create_app

from .helpers import serve, settings
from tests.harness import check_response

JSON = {"Content-Type": "application/json"}
ROUTER = APIRouter()


@ROUTER.get("/status/{status}")
async def status(status: int, *, caught: bool = False) -> None:
    try:
        int("planted-cause")
    except ValueError as error:
        raise HTTPException(status, {"code": status}) from (error if caught else None)


@ROUTER.post("/two")
async def two(sku: Annotated[str, Body()], name: Annotated[str, Body()]) -> str:
    return sku + name


@ROUTER.post("/limited", max_body_size=20)
async def limited(sku: Annotated[str, Body()]) -> str:
    return sku


@ROUTER.post("/small", max_body_size=10)
async def small(request: Request) -> int:
    return len(await request.body())


SIZED = APIRouter(prefix="/sized", max_body_size=3000)


@SIZED.post("/large")
async def large(request: Request) -> int:
    return len(await request.body())


@ROUTER.get("/slash/")
async def slash() -> None:
    pass


@ROUTER.get("/endless")
async def endless() -> StreamingResponse:
    async def rows() -> AsyncIterator[bytes]:
        while True:
            yield b"row"
            await asyncio.sleep(0)

    return StreamingResponse(rows(), headers={"X-Rows": "many"})


@pytest.fixture(name="app")
def _app() -> Application:
    """An application without a lifespan, and with endpoints that fail."""
    app = create_app(settings(max_body_size=1000))

    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError("planted-secret")

    @app.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418, "short and stout", {"X-Spout": "yes"})

    @app.post("/echo")
    async def echo(body: dict[str, str]) -> dict[str, str]:
        return body

    app.include_router(ROUTER)
    app.include_router(SIZED)
    return app


@pytest.fixture(name="client")
async def _client(app: Application) -> AsyncIterator[AsyncClient]:
    async with serve(app) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("PUT", "/api/v1/products", 405),
        ("GET", "/teapot", 418),
        ("GET", "/broken", 500),
        ("GET", "/api/v1/products/no-uuid", 422),
        ("GET", "/api/v1/products?limit=0", 422),
        ("GET", "/api/v1/products?limit=101", 422),
        ("GET", "/api/v1/products", 503),
    ],
)
async def test_every_error_is_a_problem(
    client: AsyncClient, method: str, path: str, status: int
) -> None:
    """Every failure has the same kind of body (RFC 9457)."""
    response = await client.request(method, path)
    problem = check_response(response, status)
    assert problem["instance"] == path.partition("?")[0]
    assert problem["request_id"] == response.headers["X-Request-ID"]


async def test_a_wrong_method_is_answered_with_the_allowed_ones(client: AsyncClient) -> None:
    """Those of all routes with the path. Other headers of the framework stay, too."""
    response = await client.put("/api/v1/products")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}
    response = await client.post(f"/api/v1/products/{UUID(int=1)}")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "PATCH", "DELETE"}
    assert (await client.get("/teapot")).headers["X-Spout"] == "yes"


@pytest.mark.parametrize("status", [299, 402, 418, 430, 499, 520, 599])
async def test_any_status_can_be_raised(client: AsyncClient, status: int) -> None:
    """Also one without a name. A detail that is not text becomes a member of the problem."""
    response = await client.get(f"/status/{status}")
    assert response.status_code == status
    problem = response.json()
    assert (problem["status"], problem["details"]) == (status, {"code": status})
    assert all(isinstance(problem[name], str) and problem[name] for name in ("title", "detail"))


@pytest.mark.parametrize("status", [0, 102, 600, 999])
async def test_a_number_that_is_not_a_status_is_a_bug(client: AsyncClient, status: int) -> None:
    """HTTP does not allow it, so the response is 500."""
    check_response(await client.get(f"/status/{status}"), 500)


@pytest.mark.parametrize("status", [204, 205, 304])
async def test_a_status_without_a_body_has_none(client: AsyncClient, status: int) -> None:
    """Raised as an exception, it has no body, as HTTP defines."""
    response = await client.get(f"/status/{status}")
    assert (response.status_code, response.content) == (status, b"")


async def test_the_cause_of_a_raised_server_error_is_logged(
    client: AsyncClient, capfd: pytest.CaptureFixture[str]
) -> None:
    """Raising a 5xx logs its cause. `from None` hides it, and a 4xx is an error of the client."""
    check_response(await client.get("/status/503?caught=true"), 503)
    output = "".join(capfd.readouterr())
    assert '"level": "error"' in output or "error" in output
    assert "request failed" in output
    assert "planted-cause" in output
    await client.get("/status/503")
    output = "".join(capfd.readouterr())
    assert "request failed" in output
    assert "planted-cause" not in output
    await client.get("/status/404?caught=true")
    assert "request failed" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "sent", ["text/plain", "application/x-www-form-urlencoded", "application/octet-stream", None]
)
@pytest.mark.parametrize("path", ["/echo", "/two", "/api/v1/products"])
async def test_json_with_another_media_type_is_refused(
    client: AsyncClient, path: str, sent: str | None
) -> None:
    """The message is about the media type, not the fields of the body."""
    headers = {} if sent is None else {"Content-Type": sent}
    response = await client.post(path, content=b'{"sku": "A"}', headers=headers)
    assert "application/json" in check_response(response, 415)["detail"]


async def test_a_json_media_type_is_accepted(client: AsyncClient) -> None:
    """A body with wrong fields is 422, for all media types of JSON."""
    check_response(await client.post("/echo", content=b"[]", headers=JSON), 422)
    check_response(await client.post("/echo"), 422)
    problem_type = {"Content-Type": "application/problem+json; charset=utf-8"}
    response = await client.post("/echo", content=b'{"a": "b"}', headers=problem_type)
    assert response.json() == {"a": "b"}


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/docs/", "/docs"),
        ("/slash", "/slash/"),
        ("/slash?a=1&b=%2F", "/slash/?a=1&b=%2F"),
        ("/api/v1/products/", "/api/v1/products"),
        ("/teapot///", "/teapot"),
    ],
)
async def test_a_missing_or_extra_slash_is_redirected(
    client: AsyncClient, path: str, location: str
) -> None:
    """The redirect has only the path, because only a proxy knows the client's scheme and host."""
    response = await client.get(path, headers={"Host": "evil.example"})
    assert (response.status_code, response.headers["Location"]) == (307, location)


@pytest.mark.parametrize("path", ["//evil.example/docs/", "//docs/", "/nowhere/", "/%2Fdocs/"])
async def test_a_redirect_never_leaves_the_service(client: AsyncClient, path: str) -> None:
    """A path that a browser would read as another host is not found."""
    check_response(await client.get(f"http://test{path}"), 404)


async def test_head_works_for_every_get_route(client: AsyncClient) -> None:
    """It has the status and headers of GET. An endless body is not started."""
    for path, status in {
        "/healthcheck/live": 200,
        "/healthcheck/ready": 503,
        "/api/v1/products": 503,
        "/docs": 200,
        "/teapot": 418,
        "/nowhere": 404,
    }.items():
        head, get = await client.head(path), await client.get(path)
        assert (head.status_code, head.content) == (status, b"")
        assert get.status_code == status
        assert head.headers["Content-Type"] == get.headers["Content-Type"]
        assert "X-Request-ID" in head.headers
    response = await client.head("/endless")
    assert (response.status_code, response.headers["X-Rows"]) == (200, "many")
    assert (await client.head("/echo")).status_code == 405


async def test_an_endpoint_for_head_takes_precedence(app: Application, client: AsyncClient) -> None:
    """A service can answer HEAD by its own endpoint."""

    @app.head("/teapot")
    async def head() -> Response:
        return Response(headers={"X-Own": "yes"})

    assert (await client.head("/teapot")).headers["X-Own"] == "yes"


async def test_a_bug_is_not_disclosed(
    client: AsyncClient, capfd: pytest.CaptureFixture[str]
) -> None:
    """Clients see only an id. The log has the whole error under that id."""
    response = await client.get("/broken")
    assert "ZeroDivisionError" not in response.text
    assert "planted-secret" not in response.text
    assert "Traceback" not in response.text
    output = capfd.readouterr()
    assert "ZeroDivisionError" in output.out + output.err


async def test_an_unavailable_database_is_503_with_retry_after(client: AsyncClient) -> None:
    """The response contains neither the address nor the password."""
    response = await client.get("/api/v1/products")
    check_response(response, 503)
    assert int(response.headers["Retry-After"]) >= 1
    assert "127.0.0.1" not in response.text
    assert "planted-password" not in response.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"[]", 422),
        (b"null", 422),
        (b'{"sku": "\\ud800", "name": "\\udfff", "price": 1}', 422),
        (b'{"sku": "A", "name": "Lamp", "price": NaN}', 422),
        (b'{"sku": "A", "name": "L\\u0000mp", "price": 1}', 422),
        (b"{\x80}", 400),
    ],
)
async def test_an_invalid_body_is_a_client_error(
    client: AsyncClient, body: bytes, status: int
) -> None:
    """Broken JSON, wrong shapes, lone surrogates and other encodings are 4xx."""
    response = await client.post(
        "/api/v1/products", content=body, headers={"Content-Type": "application/json"}
    )
    check_response(response, status)


async def test_an_announced_body_that_is_too_large_is_refused_unread(client: AsyncClient) -> None:
    """The Content-Length header is enough, on any path."""
    for path in ("/echo", "/nowhere"):
        response = await client.post(path, content=b"x" * 1001)
        check_response(response, 413)


async def test_a_body_that_grows_too_large_is_refused(client: AsyncClient) -> None:
    """A body of unknown length is read only up to the limit."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 100
            yield b"x" * 100

    response = await client.post(
        "/echo", content=endless(), headers={"Content-Type": "application/json"}
    )
    check_response(response, 413)
    assert sent <= 1200


@pytest.mark.parametrize(("path", "limit"), [("/small", 10), ("/sized/large", 3000)])
async def test_a_route_has_its_own_body_limit(client: AsyncClient, path: str, limit: int) -> None:
    """A smaller or larger limit of a route or its router replaces the service's."""

    async def chunks(size: int) -> AsyncIterator[bytes]:
        yield b"x" * size

    for size, status in ((limit, 200), (limit + 1, 413)):
        for body in (b"x" * size, chunks(size)):
            response = await client.post(path, content=body)
            assert response.status_code == status
            if status == 413:
                check_response(response, 413)


async def test_the_document_shows_body_limits(app: Application) -> None:
    """Every operation with a body documents 413 with its limit."""
    paths = app.openapi()["paths"]
    common = paths["/two"]["post"]["responses"]["413"]
    assert common["description"] == "The body exceeds 1000 bytes."
    response = paths["/limited"]["post"]["responses"]["413"]
    assert response["description"] == "The body exceeds 20 bytes."
    assert list(response["content"]) == ["application/problem+json"]
    assert "413" not in paths["/slash/"]["get"]["responses"]


async def test_a_body_at_the_limit_is_accepted(client: AsyncClient) -> None:
    """The limit is the largest accepted size."""
    body = json.dumps({"a": "x" * 991})
    assert len(body) == 1000
    response = await client.post(
        "/echo", content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 200


async def test_a_request_id_is_kept(client: AsyncClient) -> None:
    """A client's own id appears in every log."""
    response = await client.get("/nowhere", headers={"X-Request-ID": "checkout-0001"})
    assert response.headers["X-Request-ID"] == "checkout-0001"
    assert response.json()["request_id"] == "checkout-0001"


@pytest.mark.parametrize(
    "forged", ["short", "x" * 129, "with space in it", "id\tevent=ok", '{"a":"bcdefg"}']
)
async def test_a_forged_request_id_is_replaced(client: AsyncClient, forged: str) -> None:
    """An id that could forge a log line is replaced."""
    response = await client.get("/nowhere", headers={"X-Request-ID": forged})
    assert response.headers["X-Request-ID"] != forged
    assert len(response.headers["X-Request-ID"]) == 32


async def test_every_answer_has_safe_headers(client: AsyncClient) -> None:
    """Errors and bugs too."""
    for path in ("/nowhere", "/broken", "/docs"):
        headers = (await client.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "X-Request-ID" in headers


async def test_other_origins_are_refused_by_default(client: AsyncClient) -> None:
    """Without the setting, pages of other origins cannot read a response."""
    response = await client.get("/docs", headers={"Origin": "https://a.example"})
    assert "Access-Control-Allow-Origin" not in response.headers


async def test_an_origin_can_be_allowed() -> None:
    """Only the origin in the settings can read responses, errors included."""
    async with serve(create_app(settings(cors_origins="https://a.example"))) as client:
        for origin, allowed in {"https://a.example": True, "https://b.example": False}.items():
            response = await client.get("/nowhere", headers={"Origin": origin})
            assert (response.headers.get("Access-Control-Allow-Origin") == origin) is allowed


async def test_an_allowed_origin_may_read_errors() -> None:
    """Pages can read problems of the domain, of the database, and of bugs."""
    app = create_app(settings(cors_origins="https://a.example", max_body_size=10))

    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError

    async with serve(app) as client:
        for path, content in {"/broken": b"", "/api/v1/products": b"", "/echo": b"x" * 11}.items():
            response = await client.request(
                "GET", path, content=content, headers={"Origin": "https://a.example"}
            )
            assert response.status_code >= 413
            assert response.headers["Access-Control-Allow-Origin"] == "https://a.example"


async def test_a_refused_preflight_explains_itself() -> None:
    """The response is a problem, and allows nothing."""
    async with serve(create_app(settings(cors_origins="https://a.example"))) as client:
        for origin, status in {"https://a.example": 200, "https://b.example": 400}.items():
            response = await client.options(
                "/api/v1/products",
                headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
            )
            assert response.status_code == status
            allowed_origin = response.headers.get("Access-Control-Allow-Origin")
            assert (allowed_origin == origin) is (status == 200)
        problem = check_response(response, 400)
        assert problem["detail"] == "Disallowed CORS origin."
        assert problem["request_id"] == response.headers["X-Request-ID"]


async def test_connections_end_while_the_service_is_stopping(
    app: Application, client: AsyncClient
) -> None:
    """Clients open another connection, which leads to a replica that stays."""
    assert "Connection" not in (await client.get("/docs")).headers
    app.draining = True
    for path in ("/docs", "/nowhere", "/broken"):
        assert (await client.get(path)).headers["Connection"] == "close"


async def test_the_docs_can_be_switched_off() -> None:
    """Then neither the pages nor the document exist."""
    async with serve(create_app(settings(docs_enabled=False))) as client:
        for path in ("/docs", "/redoc", "/openapi.json"):
            check_response(await client.get(path), 404)


async def test_the_document_contains_problems(client: AsyncClient) -> None:
    """Every operation documents its errors as they are sent."""
    document = (await client.get("/openapi.json")).json()
    assert "HTTPValidationError" not in json.dumps(document)
    for path in document["paths"].values():
        for operation in path.values():
            assert list(operation["responses"]["default"]["content"]) == [
                "application/problem+json"
            ]
    assert "Problem" in document["components"]["schemas"]
