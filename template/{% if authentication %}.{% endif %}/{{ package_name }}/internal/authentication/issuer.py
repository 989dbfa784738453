"""Reads the public keys of an OpenID Connect issuer."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from ipaddress import ip_address
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from jwt import PyJWK, PyJWKSet
from pydantic import BaseModel

from ..feature import StartError
from .settings import AuthenticationSettings

Document = TypeVar("Document", bound=BaseModel)


class IssuerError(Exception):
    """The issuer's keys cannot be read; the message says why."""


class Discovery(BaseModel):
    """The part of an issuer's metadata that we need (OpenID Connect Discovery 1.0, section 3)."""

    issuer: str
    jwks_uri: str


class KeyDocument(BaseModel):
    """A set of keys (RFC 7517, section 5)."""

    keys: list[Any]


class Issuer:
    """Reads the keys of an issuer."""

    def __init__(self, settings: AuthenticationSettings, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._client = client

    async def read_keys(self) -> list[PyJWK]:
        """Return the issuer's current keys for the allowed algorithms.

        Raises:
            IssuerError: the issuer did not respond in time, or its response is invalid.
        """
        try:
            async with asyncio.timeout(self._settings.authentication_timeout):
                document = await self._get(await self._jwks_url(), KeyDocument)
            keys = [key for key in PyJWKSet(document.keys) if self._is_wanted(key)]
        except IssuerError:
            raise
        except Exception as error:  # libraries raise many errors for a malformed document
            raise IssuerError(str(error) or type(error).__name__) from error
        if not keys:
            raise IssuerError("none of the keys is for signatures of an allowed algorithm")
        return keys

    async def _jwks_url(self) -> str:
        if self._settings.authentication_jwks_url:
            return self._settings.authentication_jwks_url
        issuer = self._settings.authentication_issuer
        discovery = await self._get(
            f"{issuer.rstrip('/')}/.well-known/openid-configuration", Discovery
        )
        if discovery.issuer != issuer:
            raise IssuerError(f"{issuer} calls itself {discovery.issuer}")
        if issuer.startswith("https://") and not discovery.jwks_uri.startswith("https://"):
            raise IssuerError(f"the keys at {discovery.jwks_uri} could be changed in transit")
        return discovery.jwks_uri

    async def _get(self, url: str, kind: type[Document]) -> Document:
        response = await self._client.get(url)
        response.raise_for_status()
        return kind.model_validate_json(response.content)

    def _is_wanted(self, key: PyJWK) -> bool:
        allowed = key.algorithm_name in self._settings.authentication_algorithms
        return allowed and key.public_key_use in {None, "sig"}


class ProxyError(StartError):
    """The proxy in the environment cannot be used."""

    def __init__(self, error: Exception) -> None:
        advice = "Correct it, or unset it"
        if isinstance(error, ImportError):
            advice = "SOCKS needs another package: run `uv add 'httpx[socks]'`, or unset the proxy"
        super().__init__(
            "The token issuer cannot be reached through the proxy in HTTP_PROXY, HTTPS_PROXY, "
            f"ALL_PROXY or NO_PROXY ({type(error).__name__}). {advice}."
        )


@asynccontextmanager
async def http_client(address: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """Give a client that follows no redirects: only the settings decide where keys come from.

    Args:
        address: of the issuer. The client calls one on this machine directly, and any other
            through the proxy in the environment.

    Raises:
        ProxyError: the proxy cannot be used.
    """
    # httpx logs each request at INFO.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    options: dict[str, Any] = {"follow_redirects": False, "timeout": None}  # `Issuer` has its own
    try:
        client = httpx.AsyncClient(
            verify=_trusted_authorities(), trust_env=not _is_here(address), **options
        )
    except Exception as error:  # ImportError, ValueError, or an error of httpx
        raise ProxyError(error) from error
    async with client:
        yield client


def _is_here(address: str) -> bool:
    """Return whether an address is on the loopback interface."""
    host = urlsplit(address).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@cache
def _trusted_authorities() -> ssl.SSLContext:
    # Cached, because loading them takes longer than the rest of the start.
    return httpx.create_ssl_context()
