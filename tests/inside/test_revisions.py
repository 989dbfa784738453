"""A service knows its revisions without running them."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from orders.internal.database.revision import ROOT, Revisions, UnreadableHistoryError

LIFE = """
import asyncio, sys
from orders.internal.database.feature import schema_at_head
from orders.main import create_app

async def live():
    app = create_app()
    async with app.router.lifespan_context(app):
        print(await schema_at_head(app.resources))

asyncio.run(live())
print("with" if "alembic" in sys.modules else "without", "Alembic")
"""
MERGED = {
    "one.py": 'revision = "1"\ndown_revision = None\n',
    "two.py": 'revision: str = "2"\ndown_revision: str | None = "1"\n',
    "three.py": "revision = '3'\ndown_revision = '1'\nbranch_labels = print\n",
    "four.py": 'from os import sep\n\nrevision = "4"\ndown_revision = ("2", "3")\nunset: str\n',
    "__init__.py": '"""Nothing."""\n',
    "notes.txt": 'revision = "5"\n',
}


def test_they_are_what_alembic_finds(alembic_config: Config) -> None:
    """The service's own history reads as it runs."""
    scripts = ScriptDirectory.from_config(alembic_config)
    revisions = Revisions.read(ROOT / "migrations/versions")
    assert revisions.known == {script.revision for script in scripts.walk_revisions()} != set()
    assert revisions.head == scripts.get_current_head()


def test_every_way_to_write_them_is_read(tmp_path: Path) -> None:
    """With and without types, merged, and beside what is no revision."""
    for name, text in MERGED.items():
        (tmp_path / name).write_text(text)
    assert Revisions.read(tmp_path) == Revisions(frozenset("1234"), "4")


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_no_revision_is_known_where_there_is_none(tmp_path: Path, folder: str) -> None:
    """A history that has not begun has no head."""
    (tmp_path / "empty").mkdir()
    assert Revisions.read(tmp_path / folder) == Revisions(frozenset(), None)


@pytest.mark.parametrize(
    ("files", "advice"),
    [
        ({"one.py": 'import os\nrevision = "1"\ndown_revision = os.sep\n'}, "write it as a text"),
        ({"one.py": 'revision = "1"\n', "two.py": 'revision = "2"\n'}, "alembic merge heads"),
        ({"one.py": 'revision = "1"\ndown_revision = "1"\n'}, "not one head but 0"),
    ],
    ids=["computed", "two heads", "no head"],
)
def test_a_history_that_cannot_be_read_is_no_history(
    tmp_path: Path, files: dict[str, str], advice: str
) -> None:
    """The message says which file, or which heads, and what to do."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UnreadableHistoryError, match=advice):
        Revisions.read(tmp_path)


def test_a_service_without_its_migrations_says_so(tmp_path: Path) -> None:
    """They were left out of what was deployed."""
    with pytest.raises(UnreadableHistoryError, match="migrations is missing: deploy it"):
        Revisions.read(tmp_path / "migrations" / "versions")


def test_a_service_that_does_not_migrate_does_without_alembic(migrated_postgres: str) -> None:
    """It would stay in the memory of each process that serves."""
    done = subprocess.run(  # noqa: S603 - this interpreter, and a program from this file
        [sys.executable, "-c", LIFE],
        env={"DATABASE_URL": str(migrated_postgres)},
        check=True,
        capture_output=True,
        text=True,
    )
    revisions = Revisions.read(ROOT / "migrations/versions")
    assert f"at {revisions.head}" in done.stdout.splitlines()
    assert done.stdout.splitlines()[-1] == "without Alembic"
