"""Describe a failed migration in a few lines: its revision, line, SQL, reason, and advice."""

import ast
import re
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from asyncpg import InsufficientPrivilegeError, LockNotAvailableError
from sqlalchemy.exc import DBAPIError

SQL_LINES: Final = 12
LIMITS_OF_EMBEDDED: Final = re.compile(
    r'extension "?[^"]+"? is not available|ICU is not supported|not supported by this build'
    r"|could not access file|compression method \S+ not supported|unsupported XML feature"
    r'|could not open extension control file|language "[^"]+" does not exist'
)
LOCKED: Final = "Another transaction holds the lock: try again when it has ended."
NOT_PERMITTED: Final = (
    "Migrate as the role that owns the tables, or grant what is missing, such as "
    "`GRANT CREATE ON SCHEMA public TO ...`."
)
NOT_EMBEDDED: Final = (
    "The embedded PostgreSQL of development and tests has no extension but vector, no ICU, and no "
    "further language: for others set DATABASE_URL and TEST_DATABASE_URL to a server that has them."
)


@dataclass(frozen=True)
class Failure:
    """A failure, with a short name and a longer description."""

    what: str
    message: str


def describe(error: Exception, folders: Sequence[Path]) -> Failure:
    """Describe the failure of a migration.

    Args:
        error: the exception.
        folders: the folders with revisions.
    """
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if _is_revision(Path(frame.filename), folders)
    ]
    reason = _reason(error)
    if not frames:
        return Failure("a migration", _lines(f"The migration failed: {reason}", *_advice(error)))
    direction = "downgrade" if frames[0].name == "downgrade" else "upgrade"
    step = f"the {direction} of {_revision_of(Path(frames[-1].filename))}"
    place = (f"{frames[-1].filename}:{frames[-1].lineno}", f"  {frames[-1].line}")
    sql = str(getattr(error, "statement", None) or "").strip().splitlines()
    if len(sql) > SQL_LINES:
        sql = [*sql[:SQL_LINES], "..."]
    parts = [*place, *(["SQL:", *(f"  {line}" for line in sql)] if sql else [])]
    return Failure(step, _lines(f"T{step[1:]} failed.", *parts, reason, *_advice(error)))


def is_of_a_revision(error: Exception, folders: Sequence[Path]) -> bool:
    """Return whether a revision or its SQL raised the error, not the code that runs it."""
    frames = traceback.extract_tb(error.__traceback__)
    return isinstance(error, DBAPIError | SyntaxError) or any(
        _is_revision(Path(frame.filename), folders) for frame in frames
    )


def _cause(error: Exception) -> BaseException:
    return error.driver_exception if isinstance(error, DBAPIError) else error


def _reason(error: Exception) -> str:
    cause = _cause(error)
    return f"{type(cause).__name__}: {cause}"


def _advice(error: Exception) -> list[str]:
    """Return the remaining changes of a failed migration, and advice."""
    cause = _cause(error)
    advice = []
    if isinstance(cause, LockNotAvailableError):
        advice.append(LOCKED)
    if isinstance(cause, InsufficientPrivilegeError):
        advice.append(NOT_PERMITTED)
    if LIMITS_OF_EMBEDDED.search(str(cause)):
        advice.append(NOT_EMBEDDED)
    return [*getattr(error, "__notes__", []), *advice]


def _lines(first: str, *others: str) -> str:
    return "\n".join([first, *(f"  {line}" for line in others)])


def _is_revision(file: Path, folders: Sequence[Path]) -> bool:
    path = file.resolve()
    return path.name != "env.py" and any(
        path.is_relative_to(folder.resolve()) for folder in folders
    )


def _revision_of(file: Path) -> str:
    """Return the id that a revision's file assigns, or the file's name."""
    try:
        body = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError):
        return file.stem
    for statement in body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id="revision")], value=ast.Constant(value=str(value)))
                | ast.AnnAssign(
                    target=ast.Name(id="revision"), value=ast.Constant(value=str(value))
                )
            ):
                return value
    return file.stem
