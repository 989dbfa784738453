"""A new service needs a token for every route that is not marked as public."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials
from fastapi.staticfiles import StaticFiles
from httpx import AsyncClient
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.types import Message, Receive, Scope, Send

from orders.internal.authentication import Principal
from orders.internal.authentication.dependencies import SCHEME
from orders.internal.authentication.guard import open_routes
from orders.internal.authentication.tokens import TokenVerifier
from orders.internal.feature import Feature
from orders.internal.http.openapi import Application
from orders.internal.http.routing import public
from orders.main import ALL_FEATURES, create_app
from orders.settings import Settings

from .helpers import call
from development.authentication import Issuer
from tests.authentication.test_open_routes import unprotected_routes
from tests.harness import check_response

router = APIRouter(prefix="/shop")


@router.get("/prices")
@public
async def prices() -> str:
    """Answer everybody."""
    return "prices"


@router.get("/partner-prices")
@public
async def partner_prices(
    key: Annotated[str | None, Security(APIKeyHeader(name="X-Key", auto_error=False))],
    token: Annotated[HTTPAuthorizationCredentials | None, Depends(SCHEME)],
) -> str:
    """Answer everybody: both credentials are optional."""
    return f"prices for {key or token}"


@router.get("/profile")
@public
async def profile(principal: Principal) -> str:
    """Answer with the caller: the endpoint itself requires a token."""
    return principal.subject


def logged(endpoint: Callable[[], Any]) -> Callable[[], Any]:
    """Wrap an endpoint."""

    @wraps(endpoint)
    async def wrapper() -> Any:  # noqa: ANN401 - as the endpoint
        return await endpoint()

    return wrapper


router.get("/wrapped")(logged(prices))


@router.get("/stock")
async def stock() -> str:
    """Answer callers with a token."""
    return "stock"


@router.get("/me")
async def me(principal: Principal) -> str:
    """Answer with the caller."""
    return principal.subject


@router.websocket("/live")
async def live(websocket: WebSocket) -> None:
    """Accept a connection."""
    await websocket.accept()


async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as a mounted application."""
    await PlainTextResponse("plain")(scope, receive, send)


async def open_plain(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer everybody as a mounted application."""
    await plain(scope, receive, send)


async def hook(_: Request) -> PlainTextResponse:
    """Answer as a route of Starlette's."""
    return PlainTextResponse("hook")


router.routes += [
    Mount("/shop/plain", plain),
    Mount("/shop/open", public(open_plain)),
    Mount("/shop/files", public(StaticFiles(directory="."))),
    Mount("/shop/application", public(FastAPI())),
    Route("/shop/hook", hook),
]
GUARDED = (
    "/shop/stock",
    "/shop/me",
    "/shop/profile",
    "/shop/wrapped",
    "/shop/plain/a",
    "/shop/hook",
    "/api/v1/products",
    "/nowhere",
)
OPEN = ("/shop/prices", "/shop/partner-prices", "/shop/open/a", "/docs", "/openapi.json")


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    """The service with routes of every kind, added by another feature."""
    return create_app(settings, features=(*ALL_FEATURES, Feature(routers=(router,))))


@pytest.mark.parametrize("path", GUARDED)
async def test_a_route_needs_a_token(api_client: AsyncClient, issuer: Issuer, path: str) -> None:
    """Every kind of route is guarded, and paths without a route give the same answer."""
    response = await api_client.get(path)
    check_response(response, 401)
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    check_response(await call(api_client, "forged", path), 401)
    expected = 404 if path == "/nowhere" else 200
    assert (await call(api_client, issuer.token(), path)).status_code == expected


@pytest.mark.parametrize("path", OPEN)
async def test_a_public_route_is_open(api_client: AsyncClient, path: str) -> None:
    """Health checks, documentation and marked routes need no token."""
    assert (await api_client.get(path)).status_code == 200
    assert (await api_client.head(path)).status_code == 200


@pytest.mark.parametrize(
    ("path", "location"),
    [("/shop/prices/?page=2", "/shop/prices?page=2"), ("/docs/", "/docs"), ("/shop/stock/", None)],
)
async def test_only_a_public_path_is_redirected_without_a_token(
    api_client: AsyncClient, path: str, location: str | None
) -> None:
    """A path with an extra final slash redirects to a public route, but not to a guarded one."""
    response = await api_client.get(path, follow_redirects=False)
    assert response.status_code == (307 if location else 401)
    assert response.headers.get("Location") == location
    check_response(await api_client.post(path), 401)


async def test_a_frontend_needs_a_token(
    api_client: AsyncClient, app: FastAPI, tmp_path: Path
) -> None:
    """A frontend that would serve a public path with a final slash stays guarded."""
    (tmp_path / "index.html").write_text("frontend")
    app.frontend("/", directory=tmp_path, fallback="index.html")
    for path in ("/", "/docs/"):
        response = await api_client.get(path, follow_redirects=False)
        assert "frontend" not in response.text


async def test_other_methods_of_a_public_route_need_a_token(api_client: AsyncClient) -> None:
    """A public route opens only its own methods."""
    check_response(await api_client.post("/shop/prices"), 401)


async def test_a_websocket_needs_a_token(api_client: AsyncClient, app: FastAPI) -> None:
    """A connection without a token is closed before it is accepted."""
    del api_client  # the application runs as long as the connection
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    scope: dict[str, Any] = {"type": "websocket", "path": "/shop/live", "headers": [], "app": app}
    await app({**scope, "query_string": b"", "root_path": ""}, receive, send)
    assert [(message["type"], message["code"]) for message in sent] == [("websocket.close", 1008)]


async def test_a_token_is_verified_once(
    api_client: AsyncClient, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endpoint that asks for the caller gets the caller that the guard verified."""
    verify, tokens = TokenVerifier.verify, []

    async def count(self: TokenVerifier, token: str) -> Any:  # noqa: ANN401 - as it is
        tokens.append(token)
        return await verify(self, token)

    monkeypatch.setattr(TokenVerifier, "verify", count)
    response = await call(api_client, issuer.token(sub="ada"), "/shop/me")
    assert response.json() == "ada"
    assert len(tokens) == 1


async def test_the_document_shows_which_operations_are_guarded(app: FastAPI) -> None:
    """A guarded operation has the security scheme and its refusals. A public one has neither."""
    document = app.openapi()
    guarded = document["paths"]["/shop/stock"]["get"]
    assert guarded["security"] == [{"bearer": []}]
    assert {"401", "403"} <= guarded["responses"].keys()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for path in ("/shop/prices", "/healthcheck/live"):
        operation = document["paths"][path]["get"]
        assert "security" not in operation
        assert operation["responses"].keys().isdisjoint({"401", "403"})


async def test_open_routes_are_found(app: Application) -> None:
    """The list for a service's own test contains the marked routes of every kind."""
    assert unprotected_routes(app) == {
        "GET /shop/prices",
        "GET /shop/partner-prices",
        "Mount /shop/open",
        "Mount /shop/files",
        "Mount /shop/application",
    }


class TestServiceFromBefore:
    """A service made before v1.4.0 keeps its routes open until it adopts the default."""

    @pytest.fixture
    def settings(self, settings_values: dict[str, object]) -> Settings:
        """Settings of such a service: without `template_defaults`."""

        class OldSettings(Settings):
            template_defaults: ClassVar[tuple[int, int]] = (1, 3)

        values: dict[str, Any] = {"_env_file": None, **settings_values}
        return OldSettings(**values)

    async def test_routes_of_an_older_service_stay_open(
        self, api_client: AsyncClient, app: Application
    ) -> None:
        """An update locks no client out, and the OpenAPI document shows the routes as open."""
        for path in GUARDED:
            expected = {"/shop/me": 401, "/shop/profile": 401, "/nowhere": 404}.get(path, 200)
            assert (await api_client.get(path)).status_code == expected
        assert "security" not in app.openapi()["paths"]["/shop/stock"]["get"]
        assert "/shop/stock" in {route.path for route in open_routes(app)}
        assert "/shop/me" not in {route.path for route in open_routes(app)}
