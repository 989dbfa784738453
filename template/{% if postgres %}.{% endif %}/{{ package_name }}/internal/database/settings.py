"""Settings of the database."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator
from pydantic_settings import SettingsConfigDict

from ..config.errors import InvalidSettingsError
from ..config.sources import UNPREFIXED, EnvironmentSettings
from .database_url import check_url

Seconds = Annotated[float, Field(gt=0, le=3600, description="seconds")]


def _checked(value: str) -> str:
    check_url(value)
    return "postgresql://" + value.partition("://")[2]


CheckedUrl = Annotated[str, AfterValidator(_checked)]

DatabaseUrl = Annotated[CheckedUrl, Field(repr=False)]
"""The URL of a database, checked when the service reads its settings."""


class DatabaseSettings(BaseModel):
    """Settings with the prefix `database_`, and whether to migrate at the start."""

    database_url: Annotated[DatabaseUrl, UNPREFIXED]
    database_pool_size: Annotated[int, Field(ge=1, le=1000)] = 20
    database_max_overflow: Annotated[int, Field(ge=0, le=1000)] = 0
    database_pool_timeout: Seconds = 5
    database_connect_timeout: Seconds = 5
    database_statement_timeout: Seconds = 10
    database_lock_timeout: Seconds = 5
    database_idle_transaction_timeout: Seconds = 60
    database_read_url: Annotated[CheckedUrl | None, Field(repr=False), UNPREFIXED] = None
    database_read_lag_limit: Seconds = 5
    migrate_on_start: bool = False

    @model_validator(mode="after")
    def _check_pool_size(self) -> Self:
        if self.database_read_url and self.database_pool_size == 1:
            raise ValueError(
                "DATABASE_POOL_SIZE: with DATABASE_READ_URL, the primary and the replica share the"
                " connections: set it to 2 or more"
            )
        return self

    def split(self) -> "tuple[DatabaseSettings, DatabaseSettings]":
        """Return the settings of the primary and of the replica, each with half of the pool."""
        size, overflow = self.database_pool_size, self.database_max_overflow
        shares: list[dict[str, Any]] = [
            {"database_pool_size": size - size // 2, "database_max_overflow": overflow // 2},
            {
                "database_url": self.database_read_url,
                "database_pool_size": size // 2,
                "database_max_overflow": overflow - overflow // 2,
            },
        ]
        primary, replica = (self.model_copy(update=share) for share in shares)
        return primary, replica


def migration_url(settings: type[EnvironmentSettings]) -> str:
    """Return the URL of the database to migrate. A migration job needs no other setting.

    Raises:
        InvalidSettingsError: the URL is missing or invalid.
    """
    try:
        loaded: Any = settings.load()
        return str(loaded.database_url)
    except InvalidSettingsError:
        prefix = settings.model_config.get("env_prefix", "")

        class MigrationSettings(DatabaseSettings, EnvironmentSettings):
            model_config = SettingsConfigDict(env_prefix=prefix)

        return MigrationSettings.load().database_url
