"""Cache the data folders of embedded servers, migrated and packed, between runs."""

import contextlib
import os
import pwd
from pathlib import Path

from development.postgres.system import account_for
from tests.harness.postgres.pack import BrokenPackError, pack, unpack

KEPT = 3
"""Number of entries to keep, of about 4 MB each. Each branch may need its own."""

SUFFIX = ".packed"


def restore(cache: Path, name: str, folder: Path) -> bool:
    """Unpack an entry into a server's folder, and return whether there was a valid one.

    An entry with a wrong checksum is removed.
    """
    entry = cache / f"{name}{SUFFIX}"
    new = folder / "unpacked"
    try:
        # Written under another name first: a killed process leaves no incomplete entry.
        unpack(entry.read_bytes(), new)
    except FileNotFoundError:
        return False
    except BrokenPackError:
        discard(cache, name)
        return False
    _give_to_server(new / "data")
    (new / "password").replace(folder / "password")
    (new / "data").replace(folder / "data")
    new.rmdir()
    os.utime(entry)
    return True


def store(cache: Path, name: str, folder: Path) -> None:
    """Pack the data of a stopped server, and remove the least recently used entries."""
    cache.mkdir(parents=True, exist_ok=True)
    staged = folder / "packing"
    staged.mkdir(mode=0o700)
    for part in ("data", "password"):
        (folder / part).rename(staged / part)
    new = cache / f"{name}.{os.getpid()}.new"
    try:
        new.touch(mode=0o600)
        new.write_bytes(pack(staged))
        new.replace(cache / f"{name}{SUFFIX}")
    finally:
        new.unlink(missing_ok=True)
        for part in ("data", "password"):
            (staged / part).rename(folder / part)
        staged.rmdir()
    _limit(cache)


def discard(cache: Path, name: str) -> None:
    """Remove an entry."""
    (cache / f"{name}{SUFFIX}").unlink(missing_ok=True)


def _limit(cache: Path) -> None:
    entries = sorted(cache.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime, reverse=True)
    half_made = [path for path in cache.glob("*.new") if not _runs(path.suffixes[-2][1:])]
    for path in [*entries[KEPT:], *half_made]:
        path.unlink(missing_ok=True)


def _runs(pid: str) -> bool:
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(pid), 0)
        return True
    return False


def _give_to_server(data: Path) -> None:
    """Change the owner of the unpacked files to the server's account."""
    name = account_for(data)
    if name:
        account = pwd.getpwnam(name)
        for folder, _, files in os.walk(data):
            for file in ("", *files):
                os.chown(Path(folder, file), account.pw_uid, account.pw_gid)
