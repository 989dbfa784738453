"""Verifies tokens, and reads who calls from them."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import jwt
import structlog

from .errors import InvalidTokenError
from .keys import IssuerKeys
from .settings import AuthenticationSettings

REQUIRED: Final = ("exp", "iss", "aud", "sub")
"""Claims that every token needs: expiry, issuer, audience and subject."""

REASONS: Final[dict[type[jwt.PyJWTError], str]] = {
    jwt.ExpiredSignatureError: "it has expired",
    jwt.ImmatureSignatureError: "it is not valid yet",
    jwt.InvalidAudienceError: "it is for another audience",
    jwt.InvalidIssuerError: "it is from another issuer",
    jwt.MissingRequiredClaimError: "a required claim is missing",
}
"""Reasons that clients may read; every other one is only logged."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Identity:
    """The caller of a request.

    Attributes:
        subject: the caller's id at the issuer, which the issuer never reuses.
        scopes: of the token (claim `scope`, or `scp` with some issuers).
        roles: of the caller.
        claims: of the token, all of them.
    """

    subject: str
    scopes: frozenset[str]
    roles: frozenset[str]
    claims: Mapping[str, Any]

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any], *, roles_claim: str) -> Self:
        """Return the identity in the claims of a verified token.

        Args:
            claims: of the token, `sub` among them.
            roles_claim: the name of the claim with the roles, or a dotted path to a nested one.
        """
        return cls(
            subject=claims["sub"],
            scopes=_words(claims.get("scope")) | _words(claims.get("scp")),
            roles=_words(_find(claims, roles_claim)),
            claims=claims,
        )


class TokenVerifier:
    """Verifies tokens.

    Args:
        settings: the rules for tokens.
        keys: of the issuer.
        audience: the name of this service in tokens.
    """

    def __init__(
        self, settings: AuthenticationSettings, keys: IssuerKeys, *, audience: str
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._audience = audience
        self._algorithms = list(settings.authentication_algorithms)
        self._required = [*REQUIRED, *settings.authentication_required_claims]

    async def verify(self, token: str) -> Identity:
        """Return the caller that a token identifies.

        Raises:
            InvalidTokenError: the token is forged, expired, malformed, or for another audience.
            KeysUnavailableError: the issuer is unreachable, and we have no keys.
        """
        try:
            claims = await self._claims(token)
        except jwt.PyJWTError as error:
            logger.info("token refused", reason=type(error).__name__)
            reason = REASONS.get(type(error), "it cannot be verified")
            # Without the cause: messages of the library may contain the token.
            raise InvalidTokenError(reason) from None
        roles_claim = self._settings.authentication_roles_claim
        return Identity.from_claims(claims, roles_claim=roles_claim)

    async def _claims(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        # First, so that we do not look for a key that we would not use.
        if header.get("alg") not in self._algorithms:
            raise jwt.InvalidAlgorithmError
        keys = await self._keys.find(header.get("kid"), header["alg"])
        if not keys:
            raise jwt.InvalidKeyError
        for key in keys:
            # Another key with the same id may fit.
            with contextlib.suppress(jwt.InvalidSignatureError):
                return self._decode(token, key)
        raise jwt.InvalidSignatureError

    def _decode(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        # A key has its own algorithm, so a token cannot choose another one for it.
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=self._algorithms,
            audience=self._audience,
            issuer=self._settings.authentication_issuer,
            leeway=self._settings.authentication_leeway,
            options={"require": self._required, "enforce_minimum_key_length": True},
        )
        return claims


def _find(claims: Mapping[str, Any], name: str) -> object:
    # The whole name is tried first: a URL contains dots as well.
    value: object = claims
    for part in [name] if name in claims else name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _words(value: object) -> frozenset[str]:
    if isinstance(value, str):
        return frozenset(value.split())
    if isinstance(value, list):
        return frozenset(word for word in value if isinstance(word, str))
    return frozenset()
