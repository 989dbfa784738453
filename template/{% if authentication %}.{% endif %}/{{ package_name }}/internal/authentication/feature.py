"""Authentication as a feature of the service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..config.service_settings import ServiceSettings
from ..feature import Feature, NotReadyError
from ..resources import Resources
from ..tasks import running
from .guard import GuardMiddleware, describe
from .issuer import Issuer, http_client
from .keys import IssuerKeys
from .settings import AuthenticationSettings
from .tokens import TokenVerifier


@asynccontextmanager
async def start(resources: Resources) -> AsyncIterator[tuple[IssuerKeys, TokenVerifier]]:
    """Open the verifier of tokens; the service starts even if the issuer is unreachable."""
    settings = resources.get(AuthenticationSettings)
    service_name = resources.get(ServiceSettings).service_name
    audience = settings.authentication_audience or service_name
    address = settings.authentication_jwks_url or settings.authentication_issuer
    async with http_client(address) as client:
        keys = IssuerKeys(settings, Issuer(settings, client))
        yield keys, TokenVerifier(settings, keys, audience=audience)


@asynccontextmanager
async def background(resources: Resources) -> AsyncIterator[None]:
    """Keep the issuer's keys fresh."""
    async with running(resources, "issuer-keys", resources.get(IssuerKeys).keep_fresh()):
        yield


async def has_keys(resources: Resources) -> str:
    """Return whether tokens can be verified."""
    keys = resources.get(IssuerKeys)
    if not keys.available:
        await keys.refresh()
    if not keys.available:
        raise NoKeysError
    return "keys are known"


class NoKeysError(NotReadyError):
    """No token can be verified."""

    def __init__(self) -> None:
        super().__init__("the keys cannot be read")


FEATURE = Feature(
    start=start,
    background=background,
    reported_probes={"issuer": has_keys},
    middleware=(GuardMiddleware,),
    openapi=describe,
)
