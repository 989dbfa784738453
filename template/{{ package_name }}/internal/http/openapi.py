"""The application object, whose OpenAPI document tells the truth about errors."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from fastapi import FastAPI
from fastapi.routing import RouteContext
from starlette.types import Receive, Scope, Send

from ..config.service_settings import ServiceSettings
from ..feature import Feature
from ..resources import SERVICE, Resources
from .lists import describe_lists
from .problems import MEDIA_TYPE, Problem, ProblemKind
from .routing import Routes, body_limit

PROBLEM_RESPONSE = {
    "description": "What went wrong (RFC 9457).",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that may answer with problems of these statuses."""
    return dict.fromkeys(statuses, PROBLEM_RESPONSE)


class Application(FastAPI):
    """A FastAPI application of features, which documents problems as they are sent.

    Attributes:
        features: what it is made of, in the order in which they start.
        resources: what its features have opened, by type.
        problems: how each class of exception is answered.
        draining: whether the service is about to stop.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        resources: Resources,
        **options: Any,  # noqa: ANN401 - those of FastAPI
    ) -> None:
        super().__init__(**options)
        self.features = tuple(features)
        self.resources = resources
        self.problems: dict[type[Exception], ProblemKind] = {}
        self.draining = False
        resources.add(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; an application that is mounted in this one finds it too."""
        scope[SERVICE] = self
        await super().__call__(scope, receive, send)

    @cached_property
    def served_routes(self) -> Routes:
        """The routes as requests find them, which are those at the first request."""
        return Routes(self)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, with the schema of problems in it."""
        if self.openapi_schema is None:
            document = super().openapi()
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(problem.pop("$defs"))
            schemas["Problem"] = problem
            schemas.pop("HTTPValidationError", None)
            schemas.pop("ValidationError", None)
            self._describe_body_limits(document)
            describe_lists(document, self.operations(document))
            for feature in self.features:
                if feature.openapi is not None:
                    feature.openapi(self, document)
        return self.openapi_schema or {}

    def operations(
        self, document: Mapping[str, Any]
    ) -> Iterator[tuple[RouteContext, dict[str, Any]]]:
        """Give each operation of an OpenAPI document with its route."""
        for route in Routes(self):
            path = document["paths"].get(route.path_format, {})
            for method in route.methods or ():
                if method.lower() in path:
                    yield route, path[method.lower()]

    def _describe_body_limits(self, document: dict[str, Any]) -> None:
        default = self.resources.get(ServiceSettings).max_body_size
        for route, operation in self.operations(document):
            if "requestBody" in operation:
                limit = body_limit(route, default)
                response = {**PROBLEM_RESPONSE, "description": f"The body exceeds {limit} bytes."}
                operation["responses"].setdefault("413", response)
