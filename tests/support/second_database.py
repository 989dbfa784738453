"""A service with a second database, as docs/template/sessions.md describes it."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from tests.support.files import replace

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "orders/domain/report/__init__.py": '"""Reports."""\n',
    "orders/domain/report/model.py": '''"""The tables of the reports."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class ReportModel(DeclarativeBase):
    """Base class of the models of the reports."""

    metadata = MetaData()


class Report(ReportModel):
    """A report."""

    __tablename__ = "reports"

    name: Mapped[str] = mapped_column(primary_key=True)
''',
    "migrations/reports/versions/0001_create_reports.py": '''"""Create reports."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("reports", sa.Column("name", sa.String(), primary_key=True))


def downgrade() -> None:
    op.drop_table("reports")
''',
    "tests/integration/test_reports.py": '''"""The database of the reports."""

import pytest
from httpx import AsyncClient
from sqlalchemy import text

from orders.domain.report.model import Report
from orders.features import ReportsDatabase
from orders.internal.database import DatabaseSessionManager
from orders.internal.resources import Resources
from orders.main import working
from orders.settings import Settings


@pytest.mark.parametrize("time", ["first", "second"])
async def test_each_test_has_its_own_reports(
    time: str, api_client: AsyncClient, resources: Resources
) -> None:
    """The database has its own migrations, and no rows and tables of other databases."""
    reports = resources.get(ReportsDatabase)
    async with reports.session() as session:
        session.add(Report(name=time))
    async with reports.session(read_only=True) as session:
        assert await session.scalar(text("SELECT count(*) FROM reports")) == 1
        assert await session.scalar(text("SELECT to_regclass('products')")) is None
        assert await session.scalar(text("SELECT to_regnamespace('internal')")) is None
    async with resources.get(DatabaseSessionManager).session(read_only=True) as session:
        assert await session.scalar(text("SELECT to_regclass('reports')")) is None
    checks = (await api_client.get("/healthcheck/ready")).json()["data"]["checks"]
    assert {name for name in checks if name.startswith("reports")} == {
        "reports",
        "reports-schema",
        "reports-writes",
    }
    await reports.close()
    assert (await api_client.get("/healthcheck/ready")).status_code == 503


async def test_migrate_on_start_migrates_the_reports(
    settings_values: dict[str, object], postgres: str
) -> None:
    """An empty database is migrated when the service starts."""
    values = {**settings_values, "reports_url": postgres, "migrate_on_start": True}
    settings = Settings(**{"_env_file": None, **values})  # type: ignore[arg-type]
    async with (
        working(settings) as resources,
        resources.get(ReportsDatabase).session(read_only=True) as session,
    ):
        assert await session.scalar(text("SELECT count(*) FROM reports")) == 0
''',
}
"""Add a model, its revision and its tests, which the page leaves to the service."""


def add_second_database(service: Path) -> None:
    """Follow the steps of the page."""
    page = (service / "docs/template/sessions.md").read_text()
    section = page.partition("## A second database\n")[2]
    setting, features, fixture, env, _ = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    commands, _ = re.findall(r"```\n(mkdir.*?|uv run.*?)```", section, re.DOTALL)
    for name, text in FILES.items():
        path = service / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run(["bash", "-ec", commands], cwd=service, check=True)
    (service / "migrations/reports/env.py").write_text(env)
    settings = service / "orders/settings.py"
    importing = "from .internal.config.settings_base import SettingsBase\n"
    replace(settings, importing, f"{importing}from .internal.database import DatabaseUrl\n")
    settings.write_text(settings.read_text().rstrip() + f"\n{setting}")
    own = service / "orders/features.py"
    replace(
        own,
        "from .internal.feature import Feature\n\nFEATURES: tuple[Feature, ...] = ()\n",
        "from .internal.database import DatabaseSessionManager, other_database\n\n\n" + features,
    )
    conftest = service / "tests/conftest.py"
    conftest.write_text(f"{conftest.read_text()}\nimport pytest\n\n\n{fixture}")
