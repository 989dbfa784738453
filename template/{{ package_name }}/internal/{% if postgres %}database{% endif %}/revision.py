"""Which revision of its history the schema is at."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

SCHEMA: Final = "internal"
"""The schema of all tables that belong to features of the service, and not to its domains."""


async def current_revision(connection: AsyncConnection) -> str | None:
    """Return the revision that the schema is at, or None where no migration has run."""
    table = await connection.scalar(text("SELECT to_regclass('alembic_version')::text"))
    if table is None:
        return None
    revision: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision
