"""The application object, whose OpenAPI document tells the truth about errors."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI

from ..feature import Feature
from ..resources import Resources
from .problems import MEDIA_TYPE, Problem, ProblemKind

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

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, with the schema of problems in it."""
        if self.openapi_schema is None:
            schema = super().openapi()
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(problem.pop("$defs"))
            schemas["Problem"] = problem
            schemas.pop("HTTPValidationError", None)
            schemas.pop("ValidationError", None)
            refusals = {str(status): PROBLEM_RESPONSE for status in (401, 403)}
            operations = [one for path in schema["paths"].values() for one in path.values()]
            for operation in operations:
                if "security" in operation:
                    operation["responses"] = refusals | operation["responses"]
        return self.openapi_schema or {}
