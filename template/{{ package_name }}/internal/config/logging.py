"""Structured logs: JSON lines in production, aligned and coloured text in a terminal."""

import contextlib
import json
import logging
import os
import select
import sys
from collections.abc import Callable, Sequence
from functools import cache
from threading import RLock
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from .settings_base import SettingsBase
from .tracebacks import format_traceback

_LEVELS = {name.lower(): level for name, level in logging.getLevelNamesMapping().items()}

QUIET_LOGGERS = ("uvicorn.error",)
"""Loggers that we silence below WARNING because we log the same events ourselves."""

CHUNK = 4096
"""Number of bytes that a pipe accepts atomically (PIPE_BUF on Linux)."""

PATIENCE = 100
"""Milliseconds to wait for a slow reader; afterwards lines are dropped until it reads again."""


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
        self._ready = select.poll()
        with contextlib.suppress(AttributeError, OSError, ValueError):
            # Our own descriptor: the number of a closed one may be reused for a connection.
            self._descriptor = os.dup(stream.fileno())  # type: ignore[union-attr]  # None is suppressed
            self._ready.register(self._descriptor, select.POLLOUT)

    def write(self, line: str) -> None:
        """Write a line, or drop it."""
        with self._lock:
            timeout = 0 if self._dropped else PATIENCE
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

    def _put(self, line: str, timeout: int) -> bool:
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

    def _put_bytes(self, descriptor: int, data: memoryview, timeout: int) -> bool:
        while data:
            if not self._ready.poll(timeout):
                return False
            try:
                data = data[os.write(descriptor, data[:CHUNK]) :]
            except BlockingIOError:
                continue
            self._is_line_open = bool(data)
        return True


def configure_logging(settings: SettingsBase, *, to_stderr: bool = False) -> None:
    """Write all log records of this process, including those of libraries, to standard output.

    Args:
        settings: the level, and whether a terminal shows text.
        to_stderr: write to standard error, because standard output is for something else.
    """
    stream = sys.stderr if to_stderr else sys.stdout
    level = logging.DEBUG if settings.debug else _LEVELS[settings.log_level]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    is_terminal = stream is not None and stream.isatty()
    render = _renderers(readable=is_terminal and settings.environment != "production")
    output = LogOutput(stream)
    structlog.configure(
        processors=[_Chain([*shared, structlog.processors.StackInfoRenderer(), *render])],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: output,
        cache_logger_on_first_use=True,
    )
    _route_standard_library(level, output, shared, render)


def _renderers(*, readable: bool) -> list[Processor]:
    exceptions = structlog.processors.ExceptionRenderer(format_traceback)
    if readable:
        formatter = structlog.dev.plain_traceback
        return [exceptions, structlog.dev.ConsoleRenderer(exception_formatter=formatter)]
    return [exceptions, structlog.processors.JSONRenderer(_to_json)]


def _to_json(record: EventDict, default: Callable[[object], object]) -> str:
    return _encoder(default).encode(record)


@cache
def _encoder(default: Callable[[object], object]) -> json.JSONEncoder:
    """Return an encoder to keep: `json.dumps` makes one for each call that has options."""
    return json.JSONEncoder(allow_nan=False, default=default)


def _route_standard_library(
    level: int, output: LogOutput, shared: list[Processor], render: list[Processor]
) -> None:
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = _Handler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[_Chain([*shared, structlog.stdlib.add_logger_name, remove, *render])],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.INFO))
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


class _Handler(logging.Handler):
    """Writes the log records of libraries in the same way as the service's own."""

    def __init__(self, output: LogOutput) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 - such as arguments that do not fit the message
            line = _rescued({"event": record.msg, "logger": record.name}, record.levelname, error)
        self._output.write(line)


class _Chain:
    """Runs processors in order. Their errors never reach the caller."""

    def __init__(self, processors: Sequence[Processor]) -> None:
        self._processors = processors

    def __call__(self, logger: Any, name: str, event_dict: EventDict) -> Any:  # noqa: ANN401 - as structlog's
        value: Any = event_dict
        try:
            for process in self._processors:
                value = process(logger, name, value)
        except structlog.DropEvent:
            raise
        except Exception as error:  # noqa: BLE001 - a log record is never worth a request
            return _rescued(event_dict, name, error)
        return value


def _rescued(values: EventDict, level: str, error: Exception) -> str:
    """Return a line of JSON with the printable values of a record that could not be logged."""
    fields = {str(name): _shown(value) for name, value in values.items() if name != "_record"}
    problem = f"{type(error).__name__} while logging this"
    return json.dumps({"level": level.lower(), **fields, "logging_error": problem})


def _shown(value: object) -> object:
    """Return a JSON value unchanged, and any other value as text."""
    with contextlib.suppress(Exception):
        json.dumps(value, allow_nan=False)
        return value
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - whatever its text raises
        return "(it cannot be shown)"
