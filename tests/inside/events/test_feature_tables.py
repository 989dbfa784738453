"""An upgrade makes the tables of features, whatever the service's own history looks like."""

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from orders.internal.database import DatabaseSessionManager
from orders.internal.database.feature import schema_at_head
from orders.internal.database.migrate import downgrade, upgrade
from orders.internal.database.revision import ROOT, Revisions, histories
from orders.internal.feature import NotReadyError
from orders.internal.kafka.outbox.tables import metadata
from orders.internal.resources import Resources

COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
WHERE table_schema = 'internal' AND table_name NOT LIKE '%_version' ORDER BY 1, 2
"""


async def test_upgrading_an_older_service_creates_them(
    alembic_config: Config, postgres: str
) -> None:
    """A database at the service's own head, made before the feature, gets the tables."""
    await upgrade(alembic_config)
    connection = await asyncpg.connect(postgres)
    await connection.execute("DROP SCHEMA internal CASCADE")
    await upgrade(alembic_config)
    assert await connection.fetchval("SELECT to_regclass('internal.outbox')::text")
    await connection.close()


async def test_alembics_own_upgrade_creates_them(alembic_config: Config, postgres: str) -> None:
    """Alembic's command on a connection creates the tables too."""

    def upgrade_on(connection: Connection) -> None:
        alembic_config.attributes["connection"] = connection
        command.upgrade(alembic_config, "head")

    engine = create_async_engine(postgres.replace("postgresql://", "postgresql+asyncpg://", 1))
    async with engine.connect() as migrating:
        await migrating.run_sync(upgrade_on)
        await migrating.commit()
    await engine.dispose()
    connection = await asyncpg.connect(postgres)
    assert await connection.fetchval("SELECT to_regclass('internal.outbox')::text")
    assert await connection.fetchval("SELECT to_regclass('products')::text")
    await connection.close()


async def test_an_older_version_runs_on_tables_of_a_newer_one(
    alembic_config: Config, postgres: str
) -> None:
    """It is ready, and its migration does not change them. With older tables it is not ready."""
    await upgrade(alembic_config)
    connection = await asyncpg.connect(postgres)
    database, revisions = DatabaseSessionManager(), Revisions.read(ROOT / "migrations/versions")
    database.init(postgres)
    resources = Resources(database, revisions)
    assert await schema_at_head(resources) == f"at {revisions.head}"
    await connection.execute("UPDATE internal.outbox_version SET version_num = 'newer'")
    await upgrade(alembic_config)
    status = await schema_at_head(resources)
    assert "internal.outbox_version ahead of this version, at newer" in status
    await connection.execute("DELETE FROM internal.outbox_version")
    with pytest.raises(NotReadyError, match="outbox_version is at no revision, this service needs"):
        await schema_at_head(resources)
    await database.close()
    await connection.close()


async def test_a_downgrade_keeps_them(alembic_config: Config, postgres: str) -> None:
    """Downgrading the service's revisions does not touch the tables of features."""
    await upgrade(alembic_config)
    await downgrade(alembic_config, "base")
    connection = await asyncpg.connect(postgres)
    assert await connection.fetchval("SELECT to_regclass('internal.inbox')::text")
    await connection.close()


async def test_their_revisions_and_the_code_agree(alembic_config: Config, postgres: str) -> None:
    """The revisions make the tables that the code describes."""
    await upgrade(alembic_config)
    connection = await asyncpg.connect(postgres)
    migrated = [tuple(row) for row in await connection.fetch(COLUMNS)]
    await connection.execute("DROP SCHEMA internal CASCADE; CREATE SCHEMA internal")
    engine = create_async_engine(postgres.replace("postgresql://", "postgresql+asyncpg://", 1))
    async with engine.begin() as described:
        await described.run_sync(metadata.create_all)
    await engine.dispose()
    assert [tuple(row) for row in await connection.fetch(COLUMNS)] == migrated
    await connection.close()
    assert [history.version_table for history in histories()] == ["outbox_version"]
