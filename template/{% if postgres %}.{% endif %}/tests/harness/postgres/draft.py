"""Write a revision for the changes of the models.

`make migration` and `make domain` run this file alone: a test has a database with all migrations
applied, and the service's fixtures.
"""

import os
import subprocess
import sys

import pytest

from development.project import PREFIX
from tests.harness.postgres.naming import ROOT

URL = "DATABASE_URL"


def test_write_revision(
    migrated_postgres: str, schema_exceptions: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Compare the models with the migrations, except objects that the fixture lists."""
    options = [f"-x=except={pattern}" for pattern in schema_exceptions]
    message = f"--message={os.environ['REVISION_MESSAGE']}"
    done = subprocess.run(  # noqa: S603 - our own tool, from our own environment
        [sys.executable, "-m", "alembic", *options, "revision", "--autogenerate", message],
        cwd=ROOT,
        env={**os.environ, **dict.fromkeys((URL, PREFIX + URL), migrated_postgres)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.fail(done.stdout, pytrace=False)
    with capsys.disabled():
        sys.stdout.write(done.stdout)
