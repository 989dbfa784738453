"""Errors of the embedded server, with advice."""

from pathlib import Path

LOG_LINES = 6

# Messages of PostgreSQL or the system, each with advice.
ADVICE = {
    "No space left on device": "Free some space where {folder} lies",
    "Check free disk space": "Free some space where {folder} lies",
    "could not bind": "Another program took the port meanwhile: try again",
    "wrong ownership": "{folder} belongs to another account: remove it, or run as its owner",
    "user does not exist": (
        "PostgreSQL needs an entry in /etc/passwd for your user ID: add one, run as a user that "
        "has one, or set DATABASE_URL (TEST_DATABASE_URL for tests) to another server"
    ),
    "Permission denied": "{folder} and the folders above it must be accessible to you",
    "Read-only file system": "{folder} must be writable",
    "was written by PostgreSQL": "Its data stays as it is",
}
OTHER_ADVICE = "If the data in {folder} can be lost, remove that folder and try again"


class PostgresError(Exception):
    """The embedded server cannot be used. The message says why and what to do."""


def explain(folder: Path, error: str, log: str = "") -> PostgresError:
    """Create an error with the reason, advice, and the end of the server's log.

    `log` is the server's log, if the folder of an ephemeral server is already removed.
    """
    tail = log or log_tail(folder)
    advice = next((text for sign, text in ADVICE.items() if sign in error + tail), OTHER_ADVICE)
    message = f"The embedded PostgreSQL cannot start: {error}. {advice.format(folder=folder)}."
    return PostgresError(f"{message}\nThe end of its log:\n{tail}" if tail else message)


def log_tail(folder: Path) -> str:
    """Return the last lines of the server's log, indented."""
    try:
        lines = (folder / "server.log").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(f"  {line}" for line in lines[-LOG_LINES:])
