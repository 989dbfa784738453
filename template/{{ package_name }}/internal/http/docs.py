"""The interactive documentation: it works without the internet and loads no third-party files."""

from typing import Final

from fastapi import FastAPI, Request
from fastapi.openapi.docs import (
    get_redoc_html,
    get_swagger_ui_html,
    get_swagger_ui_oauth2_redirect_html,
)
from fastapi.responses import HTMLResponse
from fastapi.routing import iter_route_contexts
from fastapi.staticfiles import StaticFiles

from .routing import public

ASSETS: Final = "/docs/assets"
OAUTH2_REDIRECT: Final = "/docs/oauth2-redirect"
OWN_FILES_ONLY: Final = (
    "script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "font-src 'self' data:; img-src 'self' data:; worker-src 'self' blob:"
)
"""The Content-Security-Policy of both pages; each contains an inline script that starts it."""


def install_docs(app: FastAPI) -> None:
    """Serve Swagger UI at `/docs` and Redoc at `/redoc`, with the files of `fastapi-offline`."""
    for route in iter_route_contexts(app.routes):
        if route.path == app.openapi_url and route.endpoint:
            public(route.endpoint)
    assets = public(StaticFiles(packages=[("fastapi_offline", "static")]))
    app.mount(ASSETS, assets, name="docs-assets")
    app.add_route("/docs", public(_swagger_ui), include_in_schema=False)
    app.add_route(OAUTH2_REDIRECT, public(_oauth2_redirect), include_in_schema=False)
    app.add_route("/redoc", public(_redoc), include_in_schema=False)


async def _swagger_ui(request: Request) -> HTMLResponse:
    app, root = request.app, _root(request)
    page = get_swagger_ui_html(
        title=f"{app.title} - Swagger UI",
        openapi_url=f"{root}{app.openapi_url}",
        oauth2_redirect_url=f"{root}{OAUTH2_REDIRECT}",
        init_oauth=app.swagger_ui_init_oauth,
        swagger_ui_parameters=app.swagger_ui_parameters,
        swagger_js_url=f"{root}{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{root}{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{root}{ASSETS}/favicon.png",
    )
    return _confined(page)


async def _redoc(request: Request) -> HTMLResponse:
    app, root = request.app, _root(request)
    page = get_redoc_html(
        title=f"{app.title} - ReDoc",
        openapi_url=f"{root}{app.openapi_url}",
        redoc_js_url=f"{root}{ASSETS}/redoc.standalone.js",
        redoc_favicon_url=f"{root}{ASSETS}/favicon.png",
        with_google_fonts=False,
    )
    return _confined(page)


async def _oauth2_redirect(request: Request) -> HTMLResponse:
    del request
    return _confined(get_swagger_ui_oauth2_redirect_html())


def _root(request: Request) -> str:
    """Return the path prefix at which a proxy serves this service and which it strips."""
    root: str = request.scope.get("root_path", "")
    return root.rstrip("/")


def _confined(page: HTMLResponse) -> HTMLResponse:
    page.headers["Content-Security-Policy"] = OWN_FILES_ONLY
    return page
