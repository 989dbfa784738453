"""Migrations when replicas start together, and while requests hold locks."""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from tests.faults.replica import SETTINGS, Replica
from tests.support.environment import environment
from tests.support.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

    import asyncpg

REPLICAS = 4
LOCK_TIMEOUT = 5
REVISION = '''
"""Add a table and a column."""

import sqlalchemy as sa
from alembic import op

revision = "0123456789ab"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("notes", sa.Column("id", sa.Integer(), primary_key=True))
    op.add_column("products", sa.Column("note", sa.Text()))


def downgrade() -> None:
    op.drop_column("products", "note")
    op.drop_table("notes")
'''


@pytest.fixture(name="migrating")
def _migrating(service: Path, tmp_path: Path) -> Path:
    """A copy of the service whose next release changes the table of products."""
    environment = shutil.ignore_patterns(".venv")
    copy = shutil.copytree(service, tmp_path / "orders", ignore=environment)
    (copy / ".venv").symlink_to(service / ".venv")
    versions = copy / "migrations/versions"
    head = max(versions.glob("*.py")).name.split("__")[1].partition("_")[0]
    (versions / "2027_01_01_0000_00__0123456789ab_notes.py").write_text(REVISION.format(head=head))
    return copy


async def test_four_replicas_migrate_once(
    service: Path, settings: dict[str, str], tmp_path: Path, connection: asyncpg.Connection
) -> None:
    """On an empty database all become ready, and each revision runs once."""
    replicas = []
    for number in range(REPLICAS):
        # A separate consumer group: Kafka's mock takes over a minute if four members join at once.
        settings["ORDERS_KAFKA_NAMESPACE"] += f"{number}."
        replicas.append(Replica(service, tmp_path / f"service-{number}.log", **settings))
    async with AsyncExitStack() as stack:
        for replica in replicas:
            stack.callback(replica.kill)
            replica.start()
        for replica in replicas:
            await replica.until_ready()
        output = "\n".join(replica.output for replica in replicas)
    revisions = re.findall(r"Running upgrade (\S*) ?-> (\w+)", output)
    assert revisions
    assert len(revisions) == len(set(revisions)), revisions
    assert revisions[-1][1] == await connection.fetchval("SELECT * FROM alembic_version")
    assert "Traceback" not in output


@pytest.mark.parametrize("command", ["alembic upgrade head", "orders"])
async def test_a_migration_that_waits_for_a_lock_times_out(
    migrating: Path,
    settings: dict[str, str],
    connection: asyncpg.Connection,
    command: str,
) -> None:
    """It reports one line, exits with an error, and leaves the schema unchanged."""
    for step in ("upgrade head", "downgrade -1"):
        run(migrating, f"alembic {step}", settings).check_returncode()
    before = await schema(connection)
    async with connection.transaction():
        await connection.execute("LOCK TABLE products IN ACCESS SHARE MODE")
        done = run(migrating, command, settings)
    assert done.returncode != 0
    assert "lock timeout" in done.stdout, done.stdout
    assert "Traceback" not in done.stdout, done.stdout
    assert await schema(connection) == before


async def schema(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """Return the columns of all tables, and the revision of the schema."""
    columns = "SELECT table_name, column_name FROM information_schema.columns ORDER BY 1, 2"
    revision = "SELECT version_num FROM alembic_version"
    return [*await connection.fetch(columns), *await connection.fetch(revision)]


def run(service: Path, command: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a module of the service's environment to its end."""
    return subprocess.run(
        [service / ".venv/bin/python", "-m", *command.split()],
        cwd=service,
        env=environment(PORT=str(free_port()), **SETTINGS, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
