"""Settings of authentication."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import NoDecode

from ..config.sources import UNPREFIXED
from ..config.values import Line, Name, Names, split_names

Algorithms = tuple[Literal["RS256", "ES256", "EdDSA"], ...]
SUPPORTED: Algorithms = ("RS256", "ES256", "EdDSA")
Seconds = Annotated[float, Field(gt=0, le=86400, description="seconds")]


class AuthenticationSettings(BaseModel):
    """Settings whose names begin with `authentication_`."""

    authentication_issuer: Annotated[Line, UNPREFIXED] = "http://localhost:9000"
    authentication_audience: Line = ""
    authentication_jwks_url: Line = ""
    authentication_algorithms: Annotated[
        Algorithms, Field(min_length=1), NoDecode, BeforeValidator(split_names)
    ] = SUPPORTED
    authentication_required_claims: Names = ()
    authentication_roles_claim: Name = "roles"
    authentication_leeway: Annotated[float, Field(ge=0, le=300, description="seconds")] = 30
    authentication_timeout: Annotated[float, Field(gt=0, le=60, description="seconds")] = 5
    authentication_keys_interval: Seconds = 300
    authentication_keys_cooldown: Seconds = 10
    authentication_keys_lifetime: Seconds = 3600

    @field_validator("authentication_issuer")
    @classmethod
    def _check_issuer(cls, value: str) -> str:
        if not _is_url(value) or urlsplit(value).query:
            raise ValueError(
                "write it exactly as in the tokens, such as https://login.example/realms/shop"
            )
        return value

    @field_validator("authentication_jwks_url")
    @classmethod
    def _check_jwks_url(cls, value: str) -> str:
        if value and not _is_url(value):
            raise ValueError("write it as https://login.example/keys, or remove the variable")
        return value

    @model_validator(mode="after")
    def _encrypted_in_production(self) -> Self:
        # `environment` is a field of another part of the settings.
        if getattr(self, "environment", "") != "production":
            return self
        for name in ("authentication_issuer", "authentication_jwks_url"):
            if getattr(self, name).startswith("http://"):
                raise ValueError(
                    f"{name.upper()}: in production it must begin with https://, because anyone "
                    "who can change the keys in transit can forge tokens"
                )
        return self


def _is_url(value: str) -> bool:
    """Return whether a value is a web address without credentials."""
    if any(character.isspace() for character in value):
        return False
    try:
        url = urlsplit(value)
        has_host = bool(url.hostname) and (url.port or 1) > 0
    except ValueError:
        return False
    return (
        has_host and url.scheme in {"https", "http"} and "@" not in url.netloc and not url.fragment
    )
