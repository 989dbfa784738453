"""A feature: a part of the service that plugs into the application."""

import inspect
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate

from fastapi import APIRouter
from starlette.types import ASGIApp

from .http.problems import ProblemKind
from .resources import Resources

if TYPE_CHECKING:
    from .http.openapi import Application

Start = Callable[[Resources], AbstractAsyncContextManager[object]]
"""Opens a resource, yields it, and closes it. It may yield a tuple of several, or None."""

Probe = Callable[[Resources], Awaitable[str]]
"""Checks one dependency of the service: returns a word on it, or raises what is wrong."""

Middleware = Callable[[ASGIApp], ASGIApp]
"""Wraps an ASGI application: a class whose instances are ASGI applications, usually."""

Command = Callable[Concatenate[Resources, ...], Awaitable[None]]
"""Does some work outside a request; its further parameters are those of the command line."""

COMMAND_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
SERVE = "serve"
"""The command that serves HTTP."""

ERROR_STATUSES = range(400, 600)


class NotReadyError(Exception):
    """A probe failure whose message is safe to show to clients. Other failures are only logged."""


class StartError(Exception):
    """Keeps a feature from starting: only its message is logged, which says what to do."""


class FeatureError(ValueError):
    """A feature is declared wrongly; the message says how to correct it."""


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A part of the service that starts and stops with it.

    Attributes:
        start: opens resources before the first request, and closes them after the last one.
        background: the same for work beside the requests, such as periodic work. It starts
            after every `start`, stops before any of them closes, and does not run in commands.
        probes: required checks, by name: while one fails, the service is not ready.
        reported_probes: checks of what the service can do without for a while. A failure is
            reported as degraded, and the service stays ready: a shared dependency would take
            every replica out at once otherwise.
        problems: how the feature's errors are answered.
        routers: the feature's endpoints.
        middleware: wraps every request, inside the request log and the answers to errors.
        outer_middleware: wraps everything, including CORS and the request log.
        commands: what `python -m` runs, by name.
        openapi: completes the OpenAPI document.
    """

    start: Start | None = None
    background: Start | None = None
    probes: Mapping[str, Probe] = field(default_factory=dict)
    reported_probes: Mapping[str, Probe] = field(default_factory=dict)
    problems: Mapping[type[Exception], ProblemKind] = field(default_factory=dict)
    routers: Sequence[APIRouter] = ()
    middleware: Sequence[Middleware] = ()
    outer_middleware: Sequence[Middleware] = ()
    commands: Mapping[str, Command] = field(default_factory=dict)
    openapi: "Callable[[Application, dict[str, Any]], None] | None" = None

    def __post_init__(self) -> None:
        """Check the declaration here, because a mistake would fail later and be hard to find."""
        for start in (self.start, self.background):
            if inspect.isasyncgenfunction(start):
                raise FeatureError(f"{start.__qualname__}: put @asynccontextmanager above it.")
        for error, kind in self.problems.items():
            if kind.status not in ERROR_STATUSES:
                raise FeatureError(
                    f"{error.__name__}: {kind.status} is not the status of an error. "
                    "Choose one from 400 to 599."
                )
        for name in self.commands:
            if name == SERVE or not COMMAND_NAME.fullmatch(name):
                raise FeatureError(
                    f"{name!r} cannot be the name of a command. Use lower-case letters, digits "
                    f"and hyphens, and not {SERVE!r}, which serves HTTP."
                )


def check_names(features: Sequence[Feature]) -> None:
    """Check that no two features share the name of a probe or a command.

    Raises:
        FeatureError: two of them do.
    """
    probes = (name for feature in features for name in (*feature.probes, *feature.reported_probes))
    _refuse_twice("probe", probes)
    _refuse_twice("command", (name for feature in features for name in feature.commands))


def _refuse_twice(kind: str, names: Iterable[str]) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise FeatureError(f"Two features have a {kind} named {twice[0]!r}: rename one.")
