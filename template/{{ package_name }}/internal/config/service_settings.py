"""The settings of the service itself, with their checks."""

from secrets import token_hex
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field, SecretStr, ValidationInfo, field_validator

from .sources import UNPREFIXED
from .values import Name, Origins, one_line, some


def _random_secret() -> SecretStr:
    return SecretStr(token_hex(32))


class ServiceSettings(BaseModel):
    """The settings of every service, independent of its features.

    Attributes:
        template_defaults: the release of the template whose defaults the service has adopted. A
            new service starts with those of its own release.
    """

    template_defaults: ClassVar[tuple[int, int]] = (1, 3)

    environment: Literal["development", "test", "production"] = "development"
    service_name: str = "service"
    service_version: str = "0.1.0"
    debug: bool = False
    reload: bool = False
    secret_key: SecretStr = Field(default_factory=_random_secret)
    host: Annotated[Name, UNPREFIXED] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535), UNPREFIXED] = 8000
    log_level: Annotated[Literal["debug", "info", "warning", "error"], UNPREFIXED] = "info"
    docs_enabled: bool = True
    root_path: Annotated[str, Field(pattern=r"^(/[^/?#\s]+)*$")] = ""
    forwarded_allow_ips: Annotated[str, UNPREFIXED] = "127.0.0.1"
    cors_origins: Origins = ()
    max_body_size: Annotated[int, Field(ge=1, description="bytes")] = 1024 * 1024
    request_timeout: Annotated[float, Field(gt=0, le=3600, description="seconds")] = 30.0
    keep_alive_timeout: Annotated[int, Field(ge=1, le=3600, description="seconds")] = 75
    shutdown_delay: Annotated[float, Field(ge=0, le=300, description="seconds")] = 2.0
    shutdown_timeout: Annotated[int, Field(ge=1, le=3600, description="seconds")] = 15

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    # Not in the types of the fields, because the service's own class declares these again.
    @field_validator("service_name", "service_version")
    @classmethod
    def _one_line(cls, value: str) -> str:
        return some(one_line(value))

    @field_validator("debug", "reload")
    @classmethod
    def _off_in_production(cls, value: bool, info: ValidationInfo) -> bool:  # noqa: FBT001
        if value and info.data.get("environment") == "production":
            raise ValueError("this is for development: leave it off in production")
        return value

    @field_validator("secret_key")
    @classmethod
    def _long_secret_in_production(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        is_short = len(value.get_secret_value()) < 32  # noqa: PLR2004 - said in the message
        if is_short and info.data.get("environment") == "production":
            raise ValueError("a secret of fewer than 32 characters can be guessed")
        return value
