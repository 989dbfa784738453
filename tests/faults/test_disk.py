"""The disk of the database is full."""

from __future__ import annotations

import asyncio
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.faults.load import Load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.conftest import Report
    from tests.faults.replica import Replica
    from tests.faults.surroundings import Postgres

FULL = 2.0
CHUNK = bytes(64 * 1024)
SIZE = "size=120m,mode=0755"


def mount(*arguments: str) -> bool:
    """Mount or unmount as root or by sudo without a password; return whether it worked."""
    command = [*([] if os.geteuid() == 0 else ["sudo", "-n"]), *arguments]
    with suppress(FileNotFoundError):
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    return False


@pytest.fixture(name="folder")
def _folder() -> Iterator[Path]:
    """A separate small disk, in memory."""
    with TemporaryDirectory(prefix="faults-disk-") as folder:
        owner = f"uid={os.getuid()},gid={os.getgid()}"
        if not mount("mount", "-t", "tmpfs", "-o", f"{SIZE},{owner}", "tmpfs", folder):
            pytest.skip("no disk can be mounted here: be root, or let sudo work without a password")
        try:
            yield Path(folder)
        finally:
            assert mount("umount", folder)


async def test_the_disk_is_full(
    replica: Replica, database: Postgres, folder: Path, report: Report
) -> None:
    """Writes are refused until there is space again, and accepted writes are kept."""
    filler = folder / "ballast"
    async with Load(replica.url) as load:
        fill(filler)
        await load.refused()
        await asyncio.sleep(FULL)
        filler.unlink()
        # Without space for its log, PostgreSQL stops.
        await asyncio.to_thread(database.restart_if_down)
        fault_ended = await load.recover()
    figures = await load.account("disk of the database full", fault_ended, database.url)
    report(figures)
    figures.check(503)
    assert figures.outcomes["503"] > 0


def fill(filler: Path) -> None:
    """Fill the disk."""
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(CHUNK):
            pass
