"""Refusals say what is missing, in the words of RFC 6750 and RFC 9457, and tell nothing else."""

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
    """Who did not know is told how, and accused of nothing (RFC 6750, section 3.1)."""
    response = await api_client.get("/guarded", headers=headers)
    problem = check_response(response, 401)
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert "Authorization: Bearer" in problem["detail"]


async def test_an_endpoint_knows_who_calls(issuer: Issuer, api_client: AsyncClient) -> None:
    """The parameter `principal` is the caller."""
    response = await call(api_client, issuer.token("b a", sub="ada"), "/guarded/me")
    assert check_response(response, 200) == {"subject": "ada", "scopes": ["a", "b"]}


async def test_every_scope_that_is_required_must_be_there(
    issuer: Issuer, api_client: AsyncClient
) -> None:
    """One scope of two is not enough, and the challenge names both (RFC 6750, section 3.1)."""
    response = await call(api_client, issuer.token("products:write"), "/guarded/write")
    problem = check_response(response, 403)
    assert "products:read products:write" in problem["detail"]
    assert response.headers["WWW-Authenticate"] == (
        'Bearer realm="api", error="insufficient_scope", scope="products:read products:write"'
    )
    token = issuer.token("products:write products:read other")
    assert await is_let_in(api_client, token, "/guarded/write")


async def test_one_role_of_those_required_is_enough(
    issuer: Issuer, api_client: AsyncClient
) -> None:
    """A role is what the issuer calls one: a scope of the same name is none."""
    response = await call(api_client, issuer.token(sub="ada", roles=["owner"]), "/guarded/admin")
    assert check_response(response, 200) == "ada"
    check_response(await call(api_client, issuer.token("admin"), "/guarded/admin"), 403)


async def test_the_document_tells_where_tokens_are_needed(app: FastAPI) -> None:
    """OpenAPI has the scheme and the scopes, and both refusals of what asks for a token."""
    document = app.openapi()
    scheme = document["components"]["securitySchemes"]["bearer"]
    assert (scheme["type"], scheme["scheme"], scheme["bearerFormat"]) == ("http", "bearer", "JWT")
    guarded = document["paths"]["/guarded/write"]["get"]
    assert guarded["security"] == [{"bearer": ["products:read", "products:write"]}]
    for status in ("401", "403"):
        assert list(guarded["responses"][status]["content"]) == ["application/problem+json"]


async def test_no_token_is_ever_told(
    issuer: Issuer,
    api_client: AsyncClient,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Logs and answers hold no part of a token that could be used, whether it is good or bad."""
    caplog.set_level(logging.DEBUG)
    valid, expired = issuer.token(), issuer.token(exp=1)
    malformed = ["planted.secret.parts", "planted-secret"]
    answers = [await call(api_client, token) for token in (valid, expired, *malformed)]
    output = "".join([*(answer.text for answer in answers), *capfd.readouterr(), caplog.text])
    assert "ExpiredSignatureError" in output
    secrets = [*valid.split(".")[1:], *expired.split(".")[1:], "planted"]
    assert [secret for secret in secrets if secret in output] == []
