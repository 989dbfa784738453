"""A service with routes that require tokens, and an issuer for each test."""

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
    """Let in callers with a valid token."""
    return Envelope(data="in")


@router.get("/me")
async def me(principal: Principal) -> Envelope[dict[str, object]]:
    """Return the caller's subject."""
    identity: dict[str, object] = {"subject": principal.subject, "scopes": sorted(principal.scopes)}
    return Envelope(data=identity)


@router.get("/write", dependencies=[requires("products:read", "products:write")])
async def write() -> Envelope[str]:
    """Let in callers whose token has both scopes."""
    return Envelope(data="in")


@router.get("/admin")
async def admin(principal: Annotated[Identity, requires_role("admin", "owner")]) -> Envelope[str]:
    """Let in callers with one of these roles."""
    return Envelope(data=principal.subject)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An issuer for this test alone, which may change it."""
    issuer = Issuer(AUDIENCE)
    with issuer.serving():
        yield issuer


@pytest.fixture
def client_headers() -> dict[str, str]:
    """No default token: each test sends its own."""
    return {}


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    """The service, with routes that require tokens."""
    app = create_app(settings)
    app.include_router(router)
    return app
