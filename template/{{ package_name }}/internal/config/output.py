"""The output for logs: writing never raises an error, and never blocks for long."""

import contextlib
import json
import os
import select
from threading import RLock
from typing import TextIO

CHUNK = 4096
"""Number of bytes that a pipe accepts atomically (PIPE_BUF on Linux)."""

PATIENCE = 0.1
"""Seconds to wait for a slow reader; afterwards lines are dropped until it reads again."""


class LogOutput:
    """Writes lines to a stream, and drops lines that the stream does not accept.

    A reader that has exited or stopped reading, or a full disk, must not stop the
    service. The number of dropped lines is logged when the stream accepts lines again.

    Args:
        stream: usually `sys.stdout`, which is None when it was closed before the start.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._descriptor: int | None = None
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        # Reentrant, because a signal handler in the same thread may log too.
        self._lock = RLock()
        self._dropped = 0
        self._is_line_open = False
        with contextlib.suppress(AttributeError, OSError, ValueError):
            # Our own descriptor: the number of a closed one may be reused for a connection.
            self._descriptor = os.dup(stream.fileno())  # type: ignore[union-attr]  # None is suppressed

    def write(self, line: str) -> None:
        """Write a line, or drop it."""
        with self._lock:
            timeout = 0.0 if self._dropped else PATIENCE
            if self._dropped and self._put(self._notice(), timeout):
                self._dropped = 0
            if self._dropped or not self._put(line, timeout):
                self._dropped += 1

    debug = info = warning = warn = error = critical = fatal = msg = log = write
    """The methods that structlog calls on a wrapped logger."""

    def _notice(self) -> str:
        return json.dumps(
            {"event": "log lines dropped", "level": "warning", "lines": self._dropped}
        )

    def _put(self, line: str, timeout: float) -> bool:
        try:
            if self._descriptor is None:
                return self._put_text(line)
            start = "\n" if self._is_line_open else ""
            data = f"{start}{line}\n".encode(self._encoding, "backslashreplace")
            return self._put_bytes(self._descriptor, memoryview(data), timeout)
        except Exception:  # noqa: BLE001 - no error of the stream may stop the service
            return False

    def _put_text(self, line: str) -> bool:
        if self._stream is not None:
            self._stream.write(line + "\n")
            self._stream.flush()
        return True

    def _put_bytes(self, descriptor: int, data: memoryview, timeout: float) -> bool:
        while data:
            if not select.select((), (descriptor,), (), timeout)[1]:
                return False
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(descriptor, data[:CHUNK]) :]
                self._is_line_open = True
        self._is_line_open = False
        return True
