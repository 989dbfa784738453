"""Failures that many tests share: told in full once in a run, in one line after that."""

import contextlib
import hashlib
import json
import os
import traceback
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


def migration_error(error: Exception, folder: Path, direction: str = "upgrade") -> MigrationError:
    """Word the failure of a migration: its revision, its line, its SQL and the reason."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((item for item in reversed(frames) if _is_in(item.filename, folder)), None)
    name = _revision_of(Path(frame.filename)) if frame else "the migrations"
    lines = [f"The {direction} of {name} failed."]
    if frame:
        lines += [f"  {frame.filename}:{frame.lineno}", f"    {frame.line}"]
    # SQLAlchemy's errors have the statement and what the driver said; it's not imported for them.
    if statement := getattr(error, "statement", None):
        lines += ["  SQL:", *(f"    {line}" for line in statement.strip().splitlines())]
    cause = getattr(error, "orig", None) or error
    lines.append(f"  {type(cause).__name__}: {cause}")
    return MigrationError("\n".join(lines), f"the {direction} of {name}")


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


def _is_in(filename: str, folder: Path) -> bool:
    return Path(filename).resolve().is_relative_to(folder.resolve())


def _revision_of(file: Path) -> str:
    for line in file.read_text().splitlines():
        name, _, value = line.partition("=")
        if name.split(":")[0].strip() == "revision":
            return value.strip().strip("\"'")
    return file.stem
