"""The application object, whose OpenAPI document tells the truth about errors."""

from typing import Any

from fastapi import FastAPI

from .problems import MEDIA_TYPE, Problem

PROBLEM_RESPONSE = {
    "description": "What went wrong (RFC 9457).",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that may answer with problems of these statuses."""
    return dict.fromkeys(statuses, PROBLEM_RESPONSE)


class Application(FastAPI):
    """A FastAPI application that documents problems as they are sent."""

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
        return self.openapi_schema or {}
