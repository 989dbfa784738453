"""Lists over HTTP: query parameters that filter and sort, and pages in both directions."""

from collections.abc import Iterable, Iterator
from typing import Any, Generic, Self, TypeVar

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import RouteContext
from pydantic import BaseModel, ValidationError

from ..lists import ListPage, ListQuery, ListSchema, ParameterError

Data = TypeVar("Data")


class Cursors(BaseModel):
    """The pages beside this one; `null` where there is none."""

    next_cursor: str | None
    previous_cursor: str | None


class ListEnvelope(BaseModel, Generic[Data]):
    """A page of items under `data`, and the cursors of the pages beside it under `page`."""

    data: list[Data]
    page: Cursors

    @classmethod
    def of(cls, page: ListPage[Any]) -> Self:
        """Return the answer for a page, whose items are read by their attributes."""
        cursors = Cursors(next_cursor=page.next_cursor, previous_cursor=page.previous_cursor)
        return cls.model_validate({"data": page.items, "page": cursors}, from_attributes=True)


def list_query(schema: ListSchema) -> Any:  # noqa: ANN401 - as FastAPI's Depends
    """Return a dependency that reads a list's query parameters, and refuses all others.

    Annotate a parameter of an endpoint with it: `Annotated[ListQuery, list_query(PRODUCT_LIST)]`.
    """
    return Depends(_ListParameters(schema))


class _ListParameters:
    """Reads the parameters itself: FastAPI looks at the type of each one in every request."""

    def __init__(self, schema: ListSchema) -> None:
        self._schema = schema
        self._several = {"sort", *schema.one_of}

    async def __call__(self, request: Request) -> ListQuery:
        """Return the query that a request asks for."""
        try:
            values = self._values(request.query_params.multi_items())
            parameters = self._schema.parameters.model_validate(values)
            return self._schema.query_from(parameters, place=_path(request))
        except ValidationError as error:
            faults = [{**item, "loc": ("query", *item["loc"])} for item in error.errors()]
        except ParameterError as error:
            location = ("query", error.parameter)
            faults = [{"loc": location, "msg": str(error), "type": "value_error"}]
        raise RequestValidationError(faults)

    def _values(self, items: Iterable[tuple[str, str]]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, value in items:
            if name in self._several:
                values.setdefault(name, []).append(value)
            elif name in values:
                raise ParameterError(name, "This parameter is there twice. Send it once.")
            else:
                values[name] = value
        return values

    def describe(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return the parameters as OpenAPI describes them, and the schemas that they refer to."""
        schema = self._schema.parameters.model_json_schema(
            ref_template="#/components/schemas/{model}"
        )
        parameters = [
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": field.pop("description"),
                "schema": field,
            }
            for name, field in schema["properties"].items()
        ]
        return parameters, schema.get("$defs", {})


def describe_lists(
    document: dict[str, Any], operations: Iterable[tuple[RouteContext, dict[str, Any]]]
) -> None:
    """Describe the parameters of lists in an OpenAPI document."""
    for route, operation in operations:
        for parameters in _lists_of(getattr(route, "dependant", None)):
            parameter_documents, schemas = parameters.describe()
            document["components"]["schemas"] = schemas | document["components"]["schemas"]
            operation.setdefault("parameters", []).extend(parameter_documents)


def _path(request: Request) -> str:
    """Return the path of a request as this service has it, without the prefix of a proxy."""
    prefix = request.scope.get("app_root_path", request.scope.get("root_path", ""))
    path: str = request.scope["path"]
    return path.removeprefix(prefix)


def _lists_of(dependant: Dependant | None) -> Iterator[_ListParameters]:
    for dependency in dependant.dependencies if dependant else ():
        if isinstance(dependency.call, _ListParameters):
            yield dependency.call
        yield from _lists_of(dependency)
