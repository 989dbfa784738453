"""Tokens for tests, from the tests' own issuer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

# Imported only by tests that need the issuer.
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from development.authentication import Issuer


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    """An issuer that the service trusts. It publishes its keys over HTTP, like a real one."""
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
    """Creates valid tokens: `token("products:write", sub="ada", roles=["admin"])`."""
    return issuer.token
