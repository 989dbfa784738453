"""Puts the application together, and serves it."""

from http import HTTPStatus
from socket import socket

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from .domain.common.exception_base import (
    ConflictError,
    DomainError,
    InvalidError,
    NotFoundError,
)
from .internal.config.logging import configure_logging
from .internal.http.middleware import RequestMiddleware
from .internal.http.openapi import PROBLEM_RESPONSE, Application
from .internal.http.problems import ProblemKind, install_problems
from .internal.http.server import Server
from .internal.lifespan import FEATURES, lifespan
from .routers import ROUTERS
from .settings import Settings

DOMAIN_PROBLEMS: dict[type[Exception], ProblemKind] = {
    NotFoundError: ProblemKind(HTTPStatus.NOT_FOUND),
    ConflictError: ProblemKind(HTTPStatus.CONFLICT),
    InvalidError: ProblemKind(HTTPStatus.UNPROCESSABLE_ENTITY),
    DomainError: ProblemKind(HTTPStatus.BAD_REQUEST),
}


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application, not yet started.

    Args:
        settings: those of the environment when left out.

    Raises:
        InvalidSettingsError: the environment's settings are missing or wrong.
    """
    settings = settings or Settings.load()
    app = Application(
        title=settings.service_name,
        version=settings.service_version,
        lifespan=lifespan,
        openapi_url="/openapi.json" if settings.docs_enabled else None,
        responses={422: PROBLEM_RESPONSE, "default": PROBLEM_RESPONSE},
    )
    app.state.settings = settings
    app.state.features = FEATURES
    app.state.draining = False
    _install_problems(app)
    _install_middleware(app, settings)
    for router in ROUTERS:
        app.include_router(router)
    for feature in FEATURES:
        for router in feature.routers:
            app.include_router(router)
    return app


def serve(sockets: list[socket] | None = None) -> None:
    """Serve the application with the environment's settings, in this process, on these sockets."""
    settings = Settings.load()
    configure_logging(settings)
    Server(create_app(settings), settings).run(sockets)


def _install_problems(app: FastAPI) -> None:
    kinds = dict(DOMAIN_PROBLEMS)
    for feature in FEATURES:
        kinds.update(feature.problems)
    install_problems(app, kinds)


def _install_middleware(app: FastAPI, settings: Settings) -> None:
    for feature in reversed(FEATURES):
        for middleware in reversed(feature.middleware):
            app.add_middleware(middleware)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["Location", "X-Request-ID"],
        )
    app.add_middleware(RequestMiddleware, max_body_size=settings.max_body_size)
