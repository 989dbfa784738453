"""The service reads its revisions without running them."""

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


def test_the_revisions_are_those_of_alembic(alembic_config: Config) -> None:
    """For the service's own history."""
    scripts = ScriptDirectory.from_config(alembic_config)
    revisions = Revisions.read(ROOT / "migrations/versions")
    assert revisions.known == {script.revision for script in scripts.walk_revisions()} != set()
    assert revisions.head == scripts.get_current_head()


def test_every_form_of_a_revision_is_read(tmp_path: Path) -> None:
    """With and without type annotations, merged, and beside files that are not revisions."""
    for name, text in MERGED.items():
        (tmp_path / name).write_text(text)
    assert Revisions.read(tmp_path) == Revisions(frozenset("1234"), "4")


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_an_empty_history_has_no_head(tmp_path: Path, folder: str) -> None:
    """A service without revisions has no head."""
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
def test_an_unreadable_history_is_an_error(
    tmp_path: Path, files: dict[str, str], advice: str
) -> None:
    """The message has the file or the heads, and what to do."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UnreadableHistoryError, match=advice):
        Revisions.read(tmp_path)


def test_missing_migrations_are_reported(tmp_path: Path) -> None:
    """The deployment may have omitted the folder."""
    with pytest.raises(UnreadableHistoryError, match="migrations is missing: deploy it"):
        Revisions.read(tmp_path / "migrations" / "versions")


def test_a_service_that_does_not_migrate_does_not_import_alembic(migrated_postgres: str) -> None:
    """Alembic would use memory in each serving process."""
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
