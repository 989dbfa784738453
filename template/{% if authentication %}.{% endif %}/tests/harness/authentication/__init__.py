"""Tokens for tests, of an issuer of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

# A run of tests that ask for no application does not import it.
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from development.authentication import Issuer


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    """An issuer that the service trusts; it says who it is over HTTP, as the real one does."""
    from development.authentication import AUDIENCE, Issuer  # noqa: PLC0415

    issuer = Issuer(AUDIENCE)
    with issuer.serving():
        yield issuer


@pytest.fixture
def authentication_settings(issuer: Issuer) -> dict[str, object]:
    """Settings of authentication for tests."""
    from development.authentication import AUDIENCE  # noqa: PLC0415

    return {"authentication_issuer": issuer.url, "authentication_audience": AUDIENCE}


@pytest.fixture
def token(issuer: Issuer) -> Callable[..., str]:
    """Makes good tokens: `token("products:write", sub="ada", roles=["admin"])`."""
    return issuer.token
