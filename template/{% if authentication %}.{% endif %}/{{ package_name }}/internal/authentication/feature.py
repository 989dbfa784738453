"""Authentication as a feature of the service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ..feature import Feature, NotReadyError
from ..tasks import running
from .issuer import Issuer, http_client
from .keys import IssuerKeys
from .tokens import TokenVerifier


@asynccontextmanager
async def start(app: FastAPI) -> AsyncIterator[None]:
    """Keep the issuer's keys fresh; an issuer that is away keeps nothing from starting."""
    settings = app.state.settings
    audience = settings.authentication_audience or settings.service_name
    address = settings.authentication_jwks_url or settings.authentication_issuer
    async with http_client(address) as client:
        keys = IssuerKeys(settings, Issuer(settings, client))
        app.state.issuer_keys = keys
        app.state.token_verifier = TokenVerifier(settings, keys, audience=audience)
        async with running(app, "issuer-keys", keys.keep_fresh()):
            yield


async def has_keys(app: FastAPI) -> str:
    """Say whether tokens can be checked."""
    keys: IssuerKeys = app.state.issuer_keys
    if not keys.available:
        await keys.refresh()
    if not keys.available:
        raise NoKeysError
    return "keys are known"


class NoKeysError(NotReadyError):
    """No token can be checked."""

    def __init__(self) -> None:
        super().__init__("the keys cannot be read")


FEATURE = Feature(start=start, reported_probes={"issuer": has_keys})
