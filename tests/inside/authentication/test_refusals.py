"""Refusals follow RFC 6750 and RFC 9457, and contain nothing that helps an attacker."""

import logging

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from .helpers import call, is_let_in
from development.authentication import Issuer
from tests.harness import check_response


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}, {"Authorization": ""}],
)
async def test_without_a_token_the_challenge_has_no_error(
    api_client: AsyncClient, headers: dict[str, str]
) -> None:
    """A request without a token is answered without an error code (RFC 6750, section 3.1)."""
    response = await api_client.get("/guarded", headers=headers)
    problem = check_response(response, 401)
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert "Authorization: Bearer" in problem["detail"]


async def test_an_endpoint_knows_its_caller(issuer: Issuer, api_client: AsyncClient) -> None:
    """The parameter `principal` is the caller."""
    response = await call(api_client, issuer.token("b a", sub="ada"), "/guarded/me")
    assert check_response(response, 200) == {"subject": "ada", "scopes": ["a", "b"]}


async def test_every_required_scope_is_checked(issuer: Issuer, api_client: AsyncClient) -> None:
    """One of two scopes is not enough, and the challenge lists both (RFC 6750, section 3.1)."""
    response = await call(api_client, issuer.token("products:write"), "/guarded/write")
    problem = check_response(response, 403)
    assert "products:read products:write" in problem["detail"]
    assert response.headers["WWW-Authenticate"] == (
        'Bearer realm="api", error="insufficient_scope", scope="products:read products:write"'
    )
    token = issuer.token("products:write products:read other")
    assert await is_let_in(api_client, token, "/guarded/write")


async def test_one_of_the_required_roles_is_enough(issuer: Issuer, api_client: AsyncClient) -> None:
    """A scope with the name of a role does not count as the role."""
    response = await call(api_client, issuer.token(sub="ada", roles=["owner"]), "/guarded/admin")
    assert check_response(response, 200) == "ada"
    check_response(await call(api_client, issuer.token("admin"), "/guarded/admin"), 403)


async def test_the_document_shows_where_tokens_are_required(app: FastAPI) -> None:
    """OpenAPI has the scheme, the scopes, and both refusals of guarded operations."""
    document = app.openapi()
    scheme = document["components"]["securitySchemes"]["bearer"]
    assert (scheme["type"], scheme["scheme"], scheme["bearerFormat"]) == ("http", "bearer", "JWT")
    guarded = document["paths"]["/guarded/write"]["get"]
    assert guarded["security"] == [{"bearer": ["products:read", "products:write"]}]
    for status in ("401", "403"):
        assert list(guarded["responses"][status]["content"]) == ["application/problem+json"]


async def test_tokens_are_not_disclosed(
    issuer: Issuer,
    api_client: AsyncClient,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Logs and responses contain no usable part of a token, valid or not."""
    caplog.set_level(logging.DEBUG)
    valid, expired = issuer.token(), issuer.token(exp=1)
    malformed = ["planted.secret.parts", "planted-secret"]
    answers = [await call(api_client, token) for token in (valid, expired, *malformed)]
    output = "".join([*(answer.text for answer in answers), *capfd.readouterr(), caplog.text])
    assert "ExpiredSignatureError" in output
    secrets = [*valid.split(".")[1:], *expired.split(".")[1:], "planted"]
    assert [secret for secret in secrets if secret in output] == []
