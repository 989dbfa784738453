"""Write a revision for changed models: `python -m development.postgres.migration`.

Objects in the tests' fixture `schema_exceptions` are ignored.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
FIXTURE = ROOT / "tests/harness/postgres/exceptions.py"
FILE = "SCHEMA_EXCEPTIONS_FILE"


def main() -> int:
    """Write the revision, and return Alembic's exit code."""
    exceptions = schema_exceptions()
    if exceptions is None:
        return 1
    options = [f"-x=except={pattern}" for pattern in exceptions]
    command = ("revision", "--autogenerate", f"--message={sys.argv[1]}")
    done = subprocess.run([sys.executable, "-m", "alembic", *options, *command], check=False)
    return done.returncode


def schema_exceptions() -> list[str] | None:
    """Return the fixture's value, or print why there is none and return None."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "exceptions.json")
        command = [sys.executable, "-m", "pytest", "-q", str(FIXTURE)]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, FILE: str(file)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
            return None
        return list(json.loads(file.read_text()))


if __name__ == "__main__":
    sys.exit(main())
