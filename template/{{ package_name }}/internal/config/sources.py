"""The sources of settings."""

import os
from pathlib import Path
from typing import Any, Final, Self

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from .errors import InvalidSettingsError, describe


class LenientEnvSource(EnvSettingsSource):
    """Passes on a value that is not valid JSON, so that validation reports it by name."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401 - as inherited
        """Return the decoded JSON, or the text unchanged."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


class DotenvSource(LenientEnvSource, DotEnvSettingsSource):
    """Reads the file `.env`."""


class PrefixedEnvSource(LenientEnvSource):
    """Reads variables with the service's prefix, except those that Kubernetes sets."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the variable's value, or no value if it is the address of a Kubernetes Service."""
        value, key, is_complex = super().get_field_value(field, field_name)
        # Kubernetes sets <SERVICE>_PORT=tcp://... for every Service in each pod. If a Service has
        # the package's name, this is also the name of a setting.
        is_link = isinstance(value, str) and value.startswith("tcp://")
        return (None, key, False) if is_link else (value, key, is_complex)


class Unprefixed:
    """Marks a setting that platforms set without a prefix, such as `PORT`."""


UNPREFIXED: Final = Unprefixed()


class UnprefixedEnvSource(LenientEnvSource):
    """Reads the settings marked `UNPREFIXED` from environment variables without a prefix."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls, env_prefix="")

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the variable's value for a marked field, and no value for other fields."""
        if _is_unprefixed(field):
            return super().get_field_value(field, field_name)
        return None, field_name, False

    def prepare_field_value(
        self,
        field_name: str,
        field: FieldInfo,
        value: Any,  # noqa: ANN401 - as inherited
        value_is_complex: bool,  # noqa: FBT001 - as inherited
    ) -> Any:  # noqa: ANN401 - as inherited
        """Return the value of a marked field. Other fields are not read, even if nested."""
        if _is_unprefixed(field):
            return super().prepare_field_value(field_name, field, value, value_is_complex)
        return None


def _is_unprefixed(field: FieldInfo) -> bool:
    return any(isinstance(annotation, Unprefixed) for annotation in field.metadata)


class EnvironmentSettings(BaseSettings):
    """Read variables with the service's prefix, then without it, then the file `.env`."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8-sig",  # some editors begin a file with a byte order mark
        extra="ignore",
        validate_default=True,
    )

    @classmethod
    def load(cls) -> Self:
        """Return the settings of this process.

        Raises:
            InvalidSettingsError: some variables are invalid. The message lists all of them.
        """
        prefix = cls.model_config.get("env_prefix", "")
        try:
            return cls()
        except ValidationError as error:
            delimiter = cls.model_config.get("env_nested_delimiter")
            lines = describe(error, prefix, delimiter)
        except SettingsError as error:
            lines = [f"{error}: {error.__cause__}"]
        except (OSError, UnicodeDecodeError) as error:
            lines = _describe_file(cls.model_config.get("env_file"), error)
        raise InvalidSettingsError(lines)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read names without a prefix after those with it, and before the file `.env`."""
        del env_settings
        prefixed, unprefixed = PrefixedEnvSource(settings_cls), UnprefixedEnvSource(settings_cls)
        if isinstance(dotenv_settings, DotEnvSettingsSource):
            dotenv_settings = DotenvSource(
                settings_cls,
                env_file=dotenv_settings.env_file,
                env_file_encoding=dotenv_settings.env_file_encoding,
            )
        return init_settings, prefixed, unprefixed, dotenv_settings, file_secret_settings


def _describe_file(files: Any, error: OSError | UnicodeDecodeError) -> list[str]:  # noqa: ANN401 - a path or several
    """Return an error message with the unreadable file and the line in it."""
    if isinstance(error, OSError):
        return [f"{error.filename}: {error.strerror}"]
    for file in [files] if isinstance(files, str | os.PathLike) else files or ():
        path = Path(file).expanduser()
        lines = path.read_bytes().splitlines() if path.is_file() else []
        for number, line in enumerate(lines, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                name = line.partition(b"=")[0].strip().decode("ascii", "replace")
                return [f"{name} in {file}, line {number}: save the file as UTF-8"]
    return [f"{error}: save the file as UTF-8"]
