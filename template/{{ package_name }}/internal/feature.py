"""What a feature of the service plugs into the application."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from .http.problems import ProblemKind

Probe = Callable[[FastAPI], Awaitable[str]]
"""Checks one dependency of the service: returns a word on it, or raises what is wrong."""


class NotReadyError(Exception):
    """A probe failure whose message is safe to show to clients. Other failures are only logged."""


class StartError(Exception):
    """Keeps a feature from starting: only its message is logged, which says what to do."""


@dataclass(frozen=True)
class Feature:
    """A part of the service that starts and stops with it.

    Attributes:
        start: is entered before the first request and left after the last one.
        probes: required checks, by name: while one fails, no request can be served.
        problems: how the feature's errors are answered.
        routers: the feature's own endpoints.
        middleware: wraps every request, inside the service's own.
        reported_probes: checks of what the service can do without for a while. A failure is
            reported as degraded, and the service stays ready: a shared dependency would take
            every replica out at once otherwise.
    """

    start: Callable[[FastAPI], AbstractAsyncContextManager[None]]
    probes: Mapping[str, Probe] = field(default_factory=dict)
    problems: Mapping[type[Exception], ProblemKind] = field(default_factory=dict)
    routers: Sequence[APIRouter] = ()
    middleware: Sequence[Callable[[ASGIApp], ASGIApp]] = ()
    reported_probes: Mapping[str, Probe] = field(default_factory=dict)
