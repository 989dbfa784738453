"""`make migration` writes revisions that pass the tests and keep other changes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from tests.harness.services import Service

MODEL = """
    from enum import StrEnum

    from sqlalchemy.orm import Mapped, mapped_column

    from .common.model_base import EntityModel, enum_type


    class Mood(StrEnum):
        GOOD = "good"
        BAD = "bad"


    class Note(EntityModel):
        __tablename__ = "notes"
        __table_args__ = {"schema": "Reports"}
        mood: Mapped[Mood] = mapped_column(enum_type(Mood, "mood"))
"""
MORE_VALUES = """\
    FAIR = "fair"
    ODD = "it's :1"
    BAD = "bad"
    WORST = "worst"
"""
EXCEPTIONS = """
    import pytest


    @pytest.fixture(scope="session")
    def schema_exceptions() -> list[str]:
        return ["index public.products.ix_report_*", "type public.season"]
"""
ONLY_IN_MIGRATIONS = """
    op.create_index("ix_report_name", "products", ["name"])
    op.execute("CREATE TYPE season AS ENUM ('dry', 'wet')")
"""
UNDONE = """
    op.execute("DROP TYPE season")
    op.drop_index("ix_report_name", "products")
"""
EXPENSIVE = 'squawk_accepted = {"require-concurrent-index-creation": "few rows"}'
INSERT = "INSERT INTO \"Reports\".notes (id, version, mood) VALUES (uuidv7(), 1, 'fair')"


def command(service: Service, url: str, *arguments: str) -> str:
    """Run a command of the service on a database, and return its output."""
    with service.start("-m", *arguments, DATABASE_URL=url) as process:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output


def write_revision(service: Service, url: str, message: str) -> str:
    """Run `make migration` and `make migrate`, and return the new revision."""
    run = service.test("tests/harness/postgres/draft.py", REVISION_MESSAGE=message)
    assert run.code == 0, run.output
    assert f"_{message}.py" in run.output
    command(service, url, "alembic", "upgrade", "head")
    (file,) = (service.folder / "migrations/versions").glob(f"*_{message}.py")
    return file.read_text()


def execute(url: str, statement: str) -> None:
    """Run a statement."""

    async def run() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


def test_written_revisions_pass_the_tests_and_can_be_undone(service: Service) -> None:
    """A new schema, a new enum value, objects made only by migrations, and a folder named a%2Fb."""
    folder = service.folder.rename(service.folder.with_name("feature%2Flogin"))
    service = replace(service, folder=folder)
    service.add_revision("a01", ONLY_IN_MIGRATIONS, UNDONE, extra=EXPENSIVE)
    service.write("tests/conftest.py", EXCEPTIONS)
    service.write("orders/domain/note.py", MODEL)
    service.replace(
        "orders/db/__init__.py", "\nmetadata", "from ..domain.note import Note\n\nmetadata"
    )
    with service.server(folder / "server") as url:
        first = write_revision(service, url, "first")
        service.replace("orders/domain/note.py", '    BAD = "bad"', MORE_VALUES)
        second = write_revision(service, url, "second")
        execute(url, INSERT)
        command(service, url, "alembic", "downgrade", "-2")
    assert "ix_report" not in first + second
    assert "season" not in first + second
    assert "create_table" not in second
    run = service.test("tests/migration")
    assert run.code == 0, run.output
