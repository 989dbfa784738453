"""The folder that the processes of a test run share, with its locks."""

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TextIO

from development.postgres.locks import is_locked, lock

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder in memory, not a file with a guessable name
PREFIX = f"pytest-postgres-{os.getuid()}-"
ROOM = 512 * 1024 * 1024
"""Free bytes that a run needs to keep its data in memory."""

TIMEOUT = 10.0
YOUNG = 10.0
"""Seconds during which a new folder may have no locks yet."""


def run_folder(run_id: str) -> Path:
    """Return the folder of a run: in memory if there is enough space, otherwise on disk.

    All processes of a run must use the same folder, so an existing folder decides.
    """
    places = _places()
    folders = [place / f"{PREFIX}{run_id}" for place in places]
    existing = next((folder for folder in folders if folder.exists()), None)
    if existing:
        return existing
    return next((folder for folder in folders if _has_room(folder.parent)), folders[-1])


def sweep() -> None:
    """Remove the folders of this account's dead runs."""
    for place in _places():
        for folder in place.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                if _is_dead(folder):
                    remove(folder)


class Membership:
    """Locks a run's folder for this process. The last process removes the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = self._join()

    def leave(self) -> None:
        """Release the folder, and remove it if no other process uses it."""
        if self._lock:
            self._lock.close()
        with contextlib.suppress(FileNotFoundError):
            alone = lock(self.folder / "members")
            if alone:
                with alone:
                    if not is_locked(self.folder / "alive"):
                        remove(self.folder)

    def _join(self) -> TextIO | None:
        while True:
            self.folder.mkdir(exist_ok=True)
            # A process that is just leaving may remove the folder.
            with contextlib.suppress(FileNotFoundError):
                return lock(self.folder / "members", shared=True, timeout=TIMEOUT)


def remove(folder: Path) -> None:
    """Remove a folder atomically for other processes, which may be about to create it again."""
    gone = folder.with_name(f"{folder.name}.{os.getpid()}.gone")
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _places() -> list[Path]:
    temporary = Path(tempfile.gettempdir())
    return [MEMORY, temporary] if os.access(MEMORY, os.W_OK | os.X_OK) else [temporary]


def _has_room(place: Path) -> bool:
    return shutil.disk_usage(place).free >= ROOM


def _is_dead(folder: Path) -> bool:
    if time.time() - folder.stat().st_mtime < YOUNG:
        return False
    return not any(is_locked(folder / name) for name in ("members", "users", "alive", "lock"))
