"""The embedded server of a test run. The first process starts it, and the others join."""

import contextlib
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from development.postgres import EmbeddedPostgres, PostgresError
from development.postgres.locks import is_locked, locked
from tests.harness.postgres import cache, failures
from tests.harness.postgres.failures import HarnessError, MigrationError

TIMEOUT = 300.0
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


async def start(folder: Path, cached: Path, digest: str, build: Build) -> EmbeddedPostgres:
    """Join the run's server, or start it with the migrated template.

    If the template cannot be created, `failures.noted` returns the reason.

    Raises:
        HarnessError: the server cannot be started.
    """
    server = EmbeddedPostgres(folder, settings=SETTINGS, initdb=INITDB, ephemeral=True)
    for _ in range(ATTEMPTS):
        folder.mkdir(exist_ok=True)  # noqa: ASYNC240 - this loop has its own thread
        try:
            with locked(folder / "prepare", TIMEOUT):
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
