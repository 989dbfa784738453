"""Valid tokens are accepted. Forged, expired or misdirected ones are refused."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from httpx import AsyncClient

from .helpers import is_let_in
from development.authentication import Issuer, SigningKey

Forgery = Callable[[Issuer], str]


def part(content: object) -> str:
    """Encode a part of a token."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def hmac_signed(issuer: Issuer, secret: bytes) -> str:
    """Return a token signed with a secret, which the library itself refuses to make."""
    header = {"alg": "HS256", "kid": issuer.keys[0].id, "typ": "JWT"}
    message = f"{part(header)}.{part(issuer.claims())}".encode()
    method = jwt.get_algorithm_by_name("HS256")
    signature = base64.urlsafe_b64encode(method.sign(message, secret)).rstrip(b"=")
    return (message + b"." + signature).decode()


def without_signature(issuer: Issuer) -> str:
    """Return an unsigned token with the algorithm `none`."""
    return f"{part({'alg': 'none', 'kid': issuer.keys[0].id})}.{part(issuer.claims())}."


def signed_with_public_key(issuer: Issuer) -> str:
    """Return a token signed with a public text as the secret."""
    public = issuer.keys[0].private.public_key()
    return hmac_signed(issuer, public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def signed_with_key_document(issuer: Issuer) -> str:
    """Return a token signed with the published key as the secret."""
    return hmac_signed(issuer, json.dumps(issuer.keys[0].jwk).encode())


def signed_by_another(issuer: Issuer) -> str:
    """Return a token that names the issuer's key but is signed with another."""
    foreign_key = SigningKey()
    foreign_key.id = issuer.keys[0].id
    return foreign_key.sign(issuer.claims())


def bringing_its_key(issuer: Issuer) -> str:
    """Return a token that contains the key to verify it with."""
    foreign_key = SigningKey()
    headers = {"kid": issuer.keys[0].id, "jwk": foreign_key.jwk, "jku": f"{issuer.url}/other"}
    return jwt.encode(issuer.claims(), foreign_key.private, foreign_key.algorithm, headers)


def changed(issuer: Issuer) -> str:
    """Return a token with scopes added after it was signed."""
    header, _, signature = issuer.token().split(".")
    return f"{header}.{part(issuer.claims('products:write'))}.{signature}"


def with_unknown_extension(issuer: Issuer) -> str:
    """Return a token with an unknown critical header (RFC 7515, 4.1.11)."""
    key = issuer.keys[0]
    headers = {"kid": key.id, "crit": ["x-limit"], "x-limit": 1}
    return jwt.encode(issuer.claims(), key.private, key.algorithm, headers)


def too_deep(issuer: Issuer) -> str:
    """Return a token with a header nested too deeply to parse."""
    header = base64.urlsafe_b64encode(b'{"a":' * 20_000).decode().rstrip("=")
    return f"{header}.{part(issuer.claims())}.AAAA"


FORGERIES: list[Forgery] = [
    without_signature,
    signed_with_public_key,
    signed_with_key_document,
    signed_by_another,
    bringing_its_key,
    changed,
    with_unknown_extension,
    too_deep,
    lambda issuer: issuer.token().rpartition(".")[0] + ".",
    lambda issuer: issuer.token() + ".AAAA",
    lambda _: "token",
    lambda _: "é.é.é",
    lambda _: "..",
]


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA"])
async def test_a_valid_token_is_accepted(
    issuer: Issuer, api_client: AsyncClient, algorithm: str
) -> None:
    """Tokens of each allowed algorithm are accepted."""
    issuer.rotate(algorithm)
    assert await is_let_in(api_client, issuer.token())


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
async def test_a_forged_token_is_refused(
    issuer: Issuer, api_client: AsyncClient, forge: Forgery
) -> None:
    """A token that the issuer did not sign, or that was changed afterwards, is refused."""
    assert await is_let_in(api_client, issuer.token())
    assert not await is_let_in(api_client, forge(issuer))


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1}, "it has expired"),
        ({"exp": time.time() - 60}, "it has expired"),
        ({"nbf": 9_999_999_999}, "it is not valid yet"),
        ({"iat": 9_999_999_999}, "it is not valid yet"),
        ({"aud": "others"}, "it is for another audience"),
        ({"aud": ["others", "more"]}, "it is for another audience"),
        ({"iss": "http://127.0.0.1:1"}, "it is from another issuer"),
        ({"exp": None}, "a required claim is missing"),
        ({"aud": None}, "a required claim is missing"),
        ({"iss": None}, "a required claim is missing"),
        ({"sub": None}, "a required claim is missing"),
        ({"exp": "soon"}, "it cannot be verified"),
        ({"sub": 7}, "it cannot be verified"),
        ({"exp": float("nan")}, "it cannot be verified"),
        ({"exp": float("inf")}, "it cannot be verified"),
    ],
)
async def test_a_token_for_another_service_or_time_is_refused(
    issuer: Issuer, api_client: AsyncClient, claims: dict[str, Any], reason: str
) -> None:
    """A valid signature is not enough, and the response says what is wrong."""
    token = issuer.token(**claims)
    response = await api_client.get("/guarded", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 401
    assert reason in response.json()["detail"]


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
async def test_clocks_may_differ_a_little(
    issuer: Issuer, api_client: AsyncClient, claim: str
) -> None:
    """The service tolerates a few seconds in both directions."""
    claims: dict[str, Any] = {claim: int(time.time()) + (-10 if claim == "exp" else 10)}
    assert await is_let_in(api_client, issuer.token(**claims))


async def test_one_audience_of_several_is_enough(issuer: Issuer, api_client: AsyncClient) -> None:
    """A token may have other audiences besides this service."""
    assert await is_let_in(api_client, issuer.token(aud=["others", "orders"]))


async def test_a_weak_key_is_refused(issuer: Issuer, api_client: AsyncClient) -> None:
    """An attacker can factor a key of 1024 bits."""
    issuer.rotate("RS256")
    issuer.keys[0].private = rsa.generate_private_key(65537, 1024)  # noqa: S505 - so that it is refused
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = issuer.token()
    assert not await is_let_in(api_client, token)


async def test_a_token_without_a_key_id_uses_the_only_key(
    issuer: Issuer, api_client: AsyncClient
) -> None:
    """With two keys of the same type, the token is refused."""
    key = issuer.keys[0]
    token = jwt.encode(issuer.claims(), key.private, key.algorithm)
    assert await is_let_in(api_client, token)


class TestSettings:
    """Settings change the requirements for tokens."""

    @pytest.fixture
    def settings_values(self, settings_values: dict[str, object]) -> dict[str, object]:
        """Require more than by default."""
        return {
            **settings_values,
            "authentication_algorithms": "EdDSA, ES256",
            "authentication_required_claims": ("jti",),
            "authentication_leeway": 0,
        }

    async def test_a_disallowed_algorithm_is_refused(
        self, issuer: Issuer, api_client: AsyncClient
    ) -> None:
        """Without RS256 in the setting, tokens of the issuer's own RS256 key are refused."""
        issuer.rotate("RS256")
        assert not await is_let_in(api_client, issuer.token(jti="1"))

    async def test_further_claims_can_be_required(
        self, issuer: Issuer, api_client: AsyncClient
    ) -> None:
        """A token without a required claim is refused."""
        assert await is_let_in(api_client, issuer.token(jti="1"))
        assert not await is_let_in(api_client, issuer.token())

    async def test_the_tolerance_of_clocks_can_be_zero(
        self, issuer: Issuer, api_client: AsyncClient
    ) -> None:
        """Without tolerance, a token that has just expired is refused."""
        expired = issuer.token(jti="1", exp=int(time.time()) - 1)
        assert not await is_let_in(api_client, expired)
