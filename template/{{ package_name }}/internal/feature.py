"""What a feature of the service plugs into the application."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from .http.problems import ProblemKind

Probe = Callable[[FastAPI], Awaitable[str]]
"""Looks at one thing the service depends on: returns a word on it, or raises what is wrong."""


class NotReadyError(Exception):
    """Base of what a probe raises whose message anybody may see; of others only the log tells."""


class StartError(Exception):
    """Base of what keeps a feature from starting and is told in its message alone, with advice."""


@dataclass(frozen=True)
class Feature:
    """A part of the service that starts and stops with it.

    `start` is entered before the first request and left after the last one. `probes` look at what
    the feature needs, by name; `problems` say how its errors are answered; `middleware` wraps
    every request, inside the service's own.
    """

    start: Callable[[FastAPI], AbstractAsyncContextManager[None]]
    probes: Mapping[str, Probe] = field(default_factory=dict)
    problems: Mapping[type[Exception], ProblemKind] = field(default_factory=dict)
    routers: Sequence[APIRouter] = ()
    middleware: Sequence[Callable[[ASGIApp], ASGIApp]] = ()
