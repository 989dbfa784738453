"""File locks, which the kernel releases when their process ends for any reason."""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

POLL = 0.01


def lock(path: Path, *, shared: bool = False, timeout: float = 0.0) -> TextIO | None:
    """Return the open, locked file, or None if another process keeps it for `timeout` seconds.

    A lock on a removed file protects nothing, so it is released and taken again.
    """
    deadline = time.monotonic() + timeout
    mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    while True:
        file = path.open("a")
        try:
            fcntl.flock(file, mode | fcntl.LOCK_NB)
            if _is_current(file, path):
                return file
        except OSError as error:
            if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
                file.close()
                raise
            if time.monotonic() >= deadline:
                file.close()
                return None
            time.sleep(POLL)
        except BaseException:
            file.close()
            raise
        file.close()


def is_locked(path: Path) -> bool:
    """Return whether another process has locked the file."""
    if not path.exists():
        return False
    try:
        file = lock(path)
    except FileNotFoundError:
        return False
    if file is None:
        return True
    file.close()
    return False


def has_other_users(path: Path) -> bool:
    """Return whether any user has a shared lock; the supervisor's exclusive lock does not count."""
    with contextlib.suppress(FileNotFoundError):
        alone = lock(path)
        if alone:
            alone.close()
            return False
        among = lock(path, shared=True)
        if among:
            among.close()
            return True
    return False


@contextlib.contextmanager
def locked(path: Path, timeout: float) -> Iterator[None]:
    """Lock the file, or raise TimeoutError."""
    file = lock(path, timeout=timeout)
    if file is None:
        message = f"{path} was held by another process for {timeout:.0f} seconds"
        raise TimeoutError(message)
    with file:
        yield


def _is_current(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
