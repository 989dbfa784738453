"""Good tokens are let in, and forged, expired or misdirected ones are not."""

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
    """Write a part of a token."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def hmac_signed(issuer: Issuer, secret: bytes) -> str:
    """Return a token that is signed with a secret, which the library itself would refuse to do."""
    header = {"alg": "HS256", "kid": issuer.keys[0].id, "typ": "JWT"}
    message = f"{part(header)}.{part(issuer.claims())}".encode()
    method = jwt.get_algorithm_by_name("HS256")
    signature = base64.urlsafe_b64encode(method.sign(message, secret)).rstrip(b"=")
    return (message + b"." + signature).decode()


def without_signature(issuer: Issuer) -> str:
    """Return a token that says of itself that it has none."""
    return f"{part({'alg': 'none', 'kid': issuer.keys[0].id})}.{part(issuer.claims())}."


def signed_with_public_key(issuer: Issuer) -> str:
    """Return a token whose secret is what everybody can read."""
    public = issuer.keys[0].private.public_key()
    return hmac_signed(issuer, public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def signed_with_key_document(issuer: Issuer) -> str:
    """Return a token whose secret is the key as the issuer shows it."""
    return hmac_signed(issuer, json.dumps(issuer.keys[0].jwk).encode())


def signed_by_another(issuer: Issuer) -> str:
    """Return a token that names the issuer's key and is signed with another."""
    foreign_key = SigningKey()
    foreign_key.id = issuer.keys[0].id
    return foreign_key.sign(issuer.claims())


def bringing_its_key(issuer: Issuer) -> str:
    """Return a token that carries the key to check it with."""
    foreign_key = SigningKey()
    headers = {"kid": issuer.keys[0].id, "jwk": foreign_key.jwk, "jku": f"{issuer.url}/other"}
    return jwt.encode(issuer.claims(), foreign_key.private, foreign_key.algorithm, headers)


def changed(issuer: Issuer) -> str:
    """Return a token that somebody gave more scopes to."""
    header, _, signature = issuer.token().split(".")
    return f"{header}.{part(issuer.claims('products:write'))}.{signature}"


def with_unknown_extension(issuer: Issuer) -> str:
    """Return a token with a header that must be understood, and is not (RFC 7515, 4.1.11)."""
    key = issuer.keys[0]
    headers = {"kid": key.id, "crit": ["x-limit"], "x-limit": 1}
    return jwt.encode(issuer.claims(), key.private, key.algorithm, headers)


def too_deep(issuer: Issuer) -> str:
    """Return a token whose header nests deeper than anybody reads."""
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
async def test_a_good_token_is_let_in(
    issuer: Issuer, api_client: AsyncClient, algorithm: str
) -> None:
    """Each algorithm that is allowed leads in."""
    issuer.rotate(algorithm)
    assert await is_let_in(api_client, issuer.token())


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
async def test_a_forged_token_is_refused(
    issuer: Issuer, api_client: AsyncClient, forge: Forgery
) -> None:
    """What the issuer did not sign, as it stands, leads nowhere."""
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
async def test_a_token_for_another_place_or_time_is_refused(
    issuer: Issuer, api_client: AsyncClient, claims: dict[str, Any], reason: str
) -> None:
    """A good signature is not enough, and the client is told what else it takes."""
    token = issuer.token(**claims)
    response = await api_client.get("/guarded", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 401
    assert reason in response.json()["detail"]


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
async def test_clocks_may_differ_a_little(
    issuer: Issuer, api_client: AsyncClient, claim: str
) -> None:
    """A few seconds to either side make no difference."""
    claims: dict[str, Any] = {claim: int(time.time()) + (-10 if claim == "exp" else 10)}
    assert await is_let_in(api_client, issuer.token(**claims))


async def test_one_audience_of_several_is_enough(issuer: Issuer, api_client: AsyncClient) -> None:
    """A token may be for more than this service."""
    assert await is_let_in(api_client, issuer.token(aud=["others", "orders"]))


async def test_a_key_that_is_too_weak_is_refused(issuer: Issuer, api_client: AsyncClient) -> None:
    """An issuer's key of 1024 bits can be found out by others."""
    issuer.rotate("RS256")
    issuer.keys[0].private = rsa.generate_private_key(65537, 1024)  # noqa: S505 - so that it is refused
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = issuer.token()
    assert not await is_let_in(api_client, token)


async def test_a_token_without_a_key_id_means_the_only_key(
    issuer: Issuer, api_client: AsyncClient
) -> None:
    """With one key it is clear which one is meant, with two of a kind it is not."""
    key = issuer.keys[0]
    token = jwt.encode(issuer.claims(), key.private, key.algorithm)
    assert await is_let_in(api_client, token)


class TestSettings:
    """What a token has to be like can be set."""

    @pytest.fixture
    def settings_values(self, settings_values: dict[str, object]) -> dict[str, object]:
        """Demand more than usual."""
        return {
            **settings_values,
            "authentication_algorithms": "EdDSA, ES256",
            "authentication_required_claims": ("jti",),
            "authentication_leeway": 0,
        }

    async def test_an_algorithm_that_is_not_allowed_is_refused(
        self, issuer: Issuer, api_client: AsyncClient
    ) -> None:
        """The issuer's own RS256 key leads nowhere where RS256 is left out."""
        issuer.rotate("RS256")
        assert not await is_let_in(api_client, issuer.token(jti="1"))

    async def test_further_claims_can_be_required(
        self, issuer: Issuer, api_client: AsyncClient
    ) -> None:
        """A token has to say what the service relies on."""
        assert await is_let_in(api_client, issuer.token(jti="1"))
        assert not await is_let_in(api_client, issuer.token())

    async def test_clocks_can_be_taken_by_their_word(
        self, issuer: Issuer, api_client: AsyncClient
    ) -> None:
        """Without leeway a token that has just expired is refused."""
        expired = issuer.token(jti="1", exp=int(time.time()) - 1)
        assert not await is_let_in(api_client, expired)
