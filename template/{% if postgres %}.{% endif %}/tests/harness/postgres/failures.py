"""Failures that many tests share: reported in full once in a run, in one line after that."""

import contextlib
import hashlib
import json
import os
from pathlib import Path


class HarnessError(Exception):
    """The harness cannot give what was asked for; the message says why and what to do.

    Every test that needs the same thing fails with it: the first in full, the others with `short`.
    """

    short = "no test database can be had: the first such failure of this run says why"


class MigrationError(HarnessError):
    """A migration failed."""

    def __init__(self, message: str, what: str) -> None:
        super().__init__(message)
        self.what = what
        self.short = f"{what} failed: the first such failure of this run says how"


def migration_error(error: Exception) -> MigrationError:
    """Word the failure of a migration: its revision, its line, its SQL and the reason."""
    what = str(getattr(error, "what", "a migration"))
    message = str(error) if hasattr(error, "what") else f"{type(error).__name__}: {error}"
    return MigrationError(message, what)


def note(folder: Path, error: MigrationError) -> None:
    """Leave word for the other processes of the run."""
    content = {"message": str(error), "what": error.what}
    (folder / "failed.json").write_text(json.dumps(content))


def noted(folder: Path) -> MigrationError | None:
    """Return why the run can have no migrated database, if a process has found out."""
    try:
        content = json.loads((folder / "failed.json").read_text())
    except FileNotFoundError:
        return None
    return MigrationError(content["message"], content["what"])


def claim(folder: Path, error: HarnessError) -> bool:
    """Say whether this process is the first of the run to report the error."""
    folder.mkdir(exist_ok=True)  # a server that could not start may have taken it along
    name = "reported-" + hashlib.sha256(error.short.encode()).hexdigest()[:16]
    with contextlib.suppress(FileExistsError):
        os.close(os.open(folder / name, os.O_CREAT | os.O_EXCL))
        return True
    return False
