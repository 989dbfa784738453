"""The folder and the embedded server that the processes of a test run share."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TextIO

from development.postgres import EmbeddedPostgres, PostgresError
from development.postgres.locks import is_locked, lock, locked
from tests.harness.postgres import cache, failures
from tests.harness.postgres.failures import HarnessError, MigrationError

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder in memory, not a file with a guessable name
PREFIX = f"pytest-postgres-{os.getuid()}-"
ROOM = 512 * 1024 * 1024
"""Free bytes that a run needs to keep its data in memory."""

TIMEOUT = 10.0
YOUNG = 10.0
"""Seconds during which a new folder may have no locks yet."""

START_TIMEOUT = 300.0
ATTEMPTS = 10

SETTINGS = {
    # The data need not survive a crash.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # No background processes, which could connect to the template while it is cloned.
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "log_checkpoints": "off",
    "bgwriter_lru_maxpages": "0",
    "max_logical_replication_workers": "0",
    # The tables are small: plans need no JIT, no parallel workers, and little memory.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "io_method": "sync",
    "shared_buffers": "32MB",
    "max_wal_size": "64MB",
    "min_wal_size": "2MB",
    # Enough connections for the pools of many parallel tests.
    "max_connections": "500",
}
INITDB = ("--wal-segsize=1", "--no-data-checksums")

Build = Callable[[str], Awaitable[None]]
"""Creates the migrated template on the server with this URL, or raises MigrationError."""


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


async def start_server(folder: Path, cached: Path, digest: str, build: Build) -> EmbeddedPostgres:
    """Join the run's server, or start it with the migrated template.

    If the template cannot be created, `failures.noted` returns the reason.

    Raises:
        HarnessError: the server cannot be started.
    """
    server = EmbeddedPostgres(folder, settings=SETTINGS, initdb=INITDB, ephemeral=True)
    for _ in range(ATTEMPTS):
        folder.mkdir(exist_ok=True)  # noqa: ASYNC240 - this loop has its own thread
        try:
            with locked(folder / "prepare", START_TIMEOUT):
                if is_locked(folder / "alive"):
                    server.start()
                else:
                    await _prepare(server, cached, digest, build)
        except FileNotFoundError:
            continue  # the server's last user has just left and removed the folder
        except (PostgresError, TimeoutError) as error:
            raise HarnessError(str(error)) from error
        return server
    raise HarnessError(f"{folder} vanishes as often as it's made: is something cleaning up there?")


async def _prepare(server: EmbeddedPostgres, cached: Path, digest: str, build: Build) -> None:
    """Start the server with the template, or record why there is none."""
    if cache.restore(cached, digest, server.folder):
        with contextlib.suppress(PostgresError):
            server.start()
            return
        cache.discard(cached, digest)
        shutil.rmtree(server.folder / "data", ignore_errors=True)
    server.start()
    try:
        await build(server.url)
    except MigrationError as error:
        failures.note(server.folder, error)
        return
    # Pack the files of the stopped server: those of a running one would be inconsistent.
    (server.folder / "keep").touch()
    server.stop()
    (server.folder / "keep").unlink()
    cache.store(cached, digest, server.folder)
    server.start()
