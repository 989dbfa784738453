"""Failures of many tests at once: reported in full once per run, then in one line."""

import contextlib
import hashlib
import json
import os
from pathlib import Path


class HarnessError(Exception):
    """The harness cannot provide a database. The message says why and what to do.

    All tests that need it fail: the first with the full message, the others with `short`.
    """

    short = "no test database can be had: the first such failure of this run says why"


class MigrationError(HarnessError):
    """A migration failed."""

    def __init__(self, message: str, what: str) -> None:
        super().__init__(message)
        self.what = what
        self.short = f"{what} failed: the first such failure of this run says how"


def migration_error(error: Exception) -> MigrationError:
    """Describe the failure of a migration: its revision, line, SQL and reason."""
    what = str(getattr(error, "what", "a migration"))
    message = str(error) if hasattr(error, "what") else f"{type(error).__name__}: {error}"
    return MigrationError(message, what)


def note(folder: Path, error: MigrationError) -> None:
    """Record a failure for the other processes of the run."""
    content = {"message": str(error), "what": error.what}
    (folder / "failed.json").write_text(json.dumps(content))


def noted(folder: Path) -> MigrationError | None:
    """Return why the run has no migrated database, if a process has recorded it."""
    try:
        content = json.loads((folder / "failed.json").read_text())
    except FileNotFoundError:
        return None
    return MigrationError(content["message"], content["what"])


def claim(folder: Path, error: HarnessError) -> bool:
    """Return whether this process is the first of the run to report the error."""
    folder.mkdir(exist_ok=True)  # a server that failed to start may have removed it
    name = "reported-" + hashlib.sha256(error.short.encode()).hexdigest()[:16]
    with contextlib.suppress(FileExistsError):
        os.close(os.open(folder / name, os.O_CREAT | os.O_EXCL))
        return True
    return False
