"""Structured logs: JSON lines where machines read, aligned and coloured in a terminal."""

import logging
import sys
from typing import Any

import structlog

from .settings_base import SettingsBase

_LEVELS = {name.lower(): level for name, level in logging.getLevelNamesMapping().items()}

QUIET_LOGGERS = ("uvicorn.error",)
"""Loggers whose news the service's own records tell better: only their warnings are kept."""


def configure_logging(settings: SettingsBase) -> None:
    """Send every log record of this process, the libraries' too, to standard output."""
    level = logging.DEBUG if settings.debug else _LEVELS[settings.log_level]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render = _renderers(readable=sys.stdout.isatty() and settings.environment != "production")
    structlog.configure(
        processors=[*shared, structlog.processors.StackInfoRenderer(), *render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    _route_standard_library(level, shared, render)


def _renderers(*, readable: bool) -> list[Any]:
    if readable:
        return [structlog.dev.ConsoleRenderer()]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _route_standard_library(level: int, shared: list[Any], render: list[Any]) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.INFO))
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
