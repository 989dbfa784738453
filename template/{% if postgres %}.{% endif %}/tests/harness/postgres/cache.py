"""Cache the data folders of embedded servers, migrated and packed, between runs."""

import contextlib
import hashlib
import json
import os
import zlib
from pathlib import Path

KEPT = 3
"""Number of entries to keep, of about 4 MB each. Each branch may need its own."""

SUFFIX = ".packed"

FAST = 1
DIGEST = 32


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


class BrokenPackError(Exception):
    """The packed data is damaged."""


def pack(folder: Path) -> bytes:
    """Pack a folder, which must not change meanwhile."""
    folders: list[str] = []
    files: list[tuple[str, int, int]] = []
    sizes: dict[bytes, int] = {}
    contents: list[bytes] = []
    size = 0
    for place, _, names in os.walk(folder):
        folders.append(str(Path(place).relative_to(folder)))
        for path in sorted(Path(place, name) for name in names):
            content = path.read_bytes()
            key = hashlib.sha256(content).digest()
            if key not in sizes:
                sizes[key] = size
                contents.append(content)
                size += len(content)
            files.append((str(path.relative_to(folder)), sizes[key], len(content)))
    index = json.dumps({"folders": folders, "files": files}).encode()
    packed = zlib.compress(b"\n".join([index, b"".join(contents)]), FAST)
    return hashlib.sha256(packed).digest() + packed


def unpack(packed: bytes, folder: Path) -> None:
    """Unpack into a new folder that only its owner can read.

    Raises:
        BrokenPackError: the data is damaged. Nothing is written.
    """
    if len(packed) <= DIGEST or hashlib.sha256(packed[DIGEST:]).digest() != packed[:DIGEST]:
        raise BrokenPackError
    text, _, contents = zlib.decompress(packed[DIGEST:]).partition(b"\n")
    index = json.loads(text)
    for name in index["folders"]:
        (folder / name).mkdir(mode=0o700)
    view = memoryview(contents)
    for name, start, length in index["files"]:
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            file.write(view[start : start + length])
