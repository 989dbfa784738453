"""Where settings are read from."""

from typing import Any, Final, Self

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from .errors import InvalidSettingsError


class PrefixedEnvSource(EnvSettingsSource):
    """Reads variables with the service's prefix, but for those that Kubernetes sets."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the variable's value, and no value for the address of a Service."""
        value, key, is_complex = super().get_field_value(field, field_name)
        # Each pod gets <SERVICE>_PORT=tcp://... for every Service about, which has the name of a
        # setting when the Service is called as the package.
        is_link = isinstance(value, str) and value.startswith("tcp://")
        return (None, key, False) if is_link else (value, key, is_complex)


class Unprefixed:
    """Marks a setting that platforms pass under its bare name, such as `PORT`."""


UNPREFIXED: Final = Unprefixed()


class UnprefixedEnvSource(EnvSettingsSource):
    """Reads the settings marked `UNPREFIXED` from environment variables without a prefix."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls, env_prefix="")

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the variable's value for a marked field, and no value for any other."""
        if any(isinstance(mark, Unprefixed) for mark in field.metadata):
            return super().get_field_value(field, field_name)
        return None, field_name, False


class EnvironmentSettings(BaseSettings):
    """Read from variables with the service's prefix, then from bare names, then from `.env`."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", validate_default=True)

    @classmethod
    def load(cls) -> Self:
        """Return the settings of this process.

        Raises:
            InvalidSettingsError: with a line for each bad variable, all of them at once.
        """
        try:
            return cls()
        except ValidationError as error:
            raise InvalidSettingsError(cls.model_config.get("env_prefix", ""), error) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the bare names between the prefixed ones and the file `.env`."""
        del env_settings
        prefixed, bare = PrefixedEnvSource(settings_cls), UnprefixedEnvSource(settings_cls)
        return init_settings, prefixed, bare, dotenv_settings, file_secret_settings
