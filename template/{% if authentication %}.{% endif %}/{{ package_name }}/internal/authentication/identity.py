"""Who calls, as a verified token says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Identity:
    """The caller of a request.

    Attributes:
        subject: the caller's id at the issuer, never given to anybody else there.
        scopes: what the token allows (`scope`, or `scp` as some issuers call it).
        roles: what the caller is.
        claims: all that the token says.
    """

    subject: str
    scopes: frozenset[str]
    roles: frozenset[str]
    claims: Mapping[str, Any]

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any], *, roles_claim: str) -> Self:
        """Return the identity that the claims of a verified token tell of.

        Args:
            claims: what the token says; `sub` is there.
            roles_claim: the claim with the roles, or the dotted path to it in nested claims.
        """
        return cls(
            subject=claims["sub"],
            scopes=_words(claims.get("scope")) | _words(claims.get("scp")),
            roles=_words(_find(claims, roles_claim)),
            claims=claims,
        )


def _find(claims: Mapping[str, Any], name: str) -> object:
    # A name that is there as it stands wins: such as a URL, whose dots lead nowhere.
    found: object = claims
    for part in [name] if name in claims else name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _words(value: object) -> frozenset[str]:
    if isinstance(value, str):
        return frozenset(value.split())
    if isinstance(value, list):
        return frozenset(word for word in value if isinstance(word, str))
    return frozenset()
