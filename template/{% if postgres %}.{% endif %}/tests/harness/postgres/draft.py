"""Write a revision for the changes of the models.

`make domain` runs this file alone, because tests have a database with all migrations applied.
"""

import os
import subprocess
import sys

from development.project import PREFIX
from tests.harness.postgres import project

URL = "DATABASE_URL"


def test_write_revision(migrated_postgres: str, schema_exceptions: list[str]) -> None:
    """Compare the models with the migrations, except objects that the fixture lists."""
    options = [f"-x=except={pattern}" for pattern in schema_exceptions]
    message = f"--message={os.environ['REVISION_MESSAGE']}"
    done = subprocess.run(  # noqa: S603 - our own tool, from our own environment
        [sys.executable, "-m", "alembic", *options, "revision", "--autogenerate", message],
        cwd=project.ROOT,
        env={**os.environ, **dict.fromkeys((URL, PREFIX + URL), migrated_postgres)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
