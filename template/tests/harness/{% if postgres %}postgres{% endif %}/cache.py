"""Keeps data folders of embedded servers between runs, migrated and packed, a few at a time."""

import contextlib
import os
import shutil
import tarfile
import zlib
from pathlib import Path

from development.postgres.system import account_for

KEPT = 3
"""Entries to keep, of about 5 MB each: branches that one goes back and forth between."""

BROKEN = (OSError, EOFError, tarfile.TarError, zlib.error)


def restore(cache: Path, name: str, folder: Path) -> bool:
    """Unpack an entry into a server's folder; say whether there was a good one.

    A broken entry, which its checksum tells, is removed.
    """
    entry = cache / f"{name}.tar.gz"
    try:
        with tarfile.open(entry, "r:gz") as archive:
            # Not yet `data`: a process that is killed half-way leaves nothing that looks whole.
            archive.extractall(folder / "unpacked", filter="tar")
        _give_to_server(folder / "unpacked" / "data")
        (folder / "unpacked" / "password").replace(folder / "password")
        (folder / "unpacked" / "data").replace(folder / "data")
    except FileNotFoundError:
        return False
    except BROKEN:
        discard(cache, name)
        return False
    finally:
        shutil.rmtree(folder / "unpacked", ignore_errors=True)
    os.utime(entry)
    return True


def store(cache: Path, name: str, folder: Path) -> None:
    """Pack the data of a stopped server, and forget the entries that were not used for longest."""
    cache.mkdir(parents=True, exist_ok=True)
    new = cache / f"{name}.{os.getpid()}.new"
    try:
        with tarfile.open(new, "w:gz", compresslevel=1) as archive:
            new.chmod(0o600)
            archive.add(folder / "data", "data")
            archive.add(folder / "password", "password")
        new.replace(cache / f"{name}.tar.gz")
    finally:
        new.unlink(missing_ok=True)
    _limit(cache)


def discard(cache: Path, name: str) -> None:
    """Forget an entry."""
    (cache / f"{name}.tar.gz").unlink(missing_ok=True)


def _limit(cache: Path) -> None:
    entries = sorted(cache.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime, reverse=True)
    half_made = [path for path in cache.glob("*.new") if not _runs(path.suffixes[-2][1:])]
    for path in [*entries[KEPT:], *half_made]:
        path.unlink(missing_ok=True)


def _runs(pid: str) -> bool:
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(pid), 0)
        return True
    return False


def _give_to_server(data: Path) -> None:
    """Make the unpacked files the account's that the server will have."""
    account = account_for(data)
    if account:
        for folder, _, files in os.walk(data):
            shutil.chown(folder, account, account)
            for file in files:
                shutil.chown(Path(folder, file), account, account)
