"""Checks tokens."""

import contextlib
from typing import Any, Final

import jwt
import structlog

from .errors import InvalidTokenError
from .identity import Identity
from .keys import IssuerKeys
from .settings import AuthenticationSettings

REQUIRED: Final = ("exp", "iss", "aud", "sub")
"""Claims without which nobody could say for how long, by whom, for whom and of whom a token is."""

REASONS: Final[dict[type[jwt.PyJWTError], str]] = {
    jwt.ExpiredSignatureError: "it has expired",
    jwt.ImmatureSignatureError: "it is not valid yet",
    jwt.InvalidAudienceError: "it is for another audience",
    jwt.InvalidIssuerError: "it is of another issuer",
    jwt.MissingRequiredClaimError: "it lacks a claim that is required",
}
"""What clients are told; of whatever else is wrong they need no more than that something is."""

logger = structlog.get_logger(__name__)


class TokenVerifier:
    """Tells good tokens from bad ones.

    Args:
        settings: what a token has to be like.
        keys: the issuer's.
        audience: the service, as tokens name it.
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
        """Return whom the token is of.

        Raises:
            InvalidTokenError: it is forged, expired, for somebody else, or no token at all.
            KeysUnavailableError: nobody can tell, because the issuer is away.
        """
        try:
            claims = await self._claims(token)
        except jwt.PyJWTError as error:
            logger.info("token refused", reason=type(error).__name__)
            reason = REASONS.get(type(error), "it cannot be verified")
            # Without its cause: messages of the library may quote the token.
            raise InvalidTokenError(reason) from None
        roles_claim = self._settings.authentication_roles_claim
        return Identity.from_claims(claims, roles_claim=roles_claim)

    async def _claims(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        # First of all, so that no key is even looked for that would not be used.
        if header.get("alg") not in self._algorithms:
            raise jwt.InvalidAlgorithmError
        keys = await self._keys.find(header.get("kid"), header["alg"])
        if not keys:
            raise jwt.InvalidKeyError
        for key in keys:
            # Only another key of the same name can have made a signature that this one did not.
            with contextlib.suppress(jwt.InvalidSignatureError):
                return self._decode(token, key)
        raise jwt.InvalidSignatureError

    def _decode(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        # The key knows its own algorithm: a token cannot have it used for another one.
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
