"""A service with routes that ask for tokens, and an issuer for each test."""

from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import APIRouter, FastAPI

from orders.internal.authentication import (
    Authenticated,
    Identity,
    Principal,
    requires,
    requires_role,
)
from orders.internal.http.envelope import Envelope
from orders.main import create_app
from orders.settings import Settings

from development.authentication import AUDIENCE, Issuer

router = APIRouter(prefix="/guarded", dependencies=[Authenticated])


@router.get("")
async def guarded() -> Envelope[str]:
    """Let in whoever has a good token."""
    return Envelope(data="in")


@router.get("/me")
async def me(principal: Principal) -> Envelope[dict[str, object]]:
    """Tell who calls."""
    identity: dict[str, object] = {"subject": principal.subject, "scopes": sorted(principal.scopes)}
    return Envelope(data=identity)


@router.get("/write", dependencies=[requires("products:read", "products:write")])
async def write() -> Envelope[str]:
    """Let in whose token has both scopes."""
    return Envelope(data="in")


@router.get("/admin")
async def admin(principal: Annotated[Identity, requires_role("admin", "owner")]) -> Envelope[str]:
    """Let in who is one of these."""
    return Envelope(data=principal.subject)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An issuer of this test's own, which it may change."""
    issuer = Issuer(AUDIENCE)
    with issuer.serving():
        yield issuer


@pytest.fixture
def client_headers() -> dict[str, str]:
    """No token by default: each test sends its own."""
    return {}


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    """The service, with routes that ask for tokens."""
    app = create_app(settings)
    app.include_router(router)
    return app
