"""Lists over HTTP: query parameters that filter and sort, and pages in both directions."""

from typing import Annotated, Any, Generic, Self, TypeVar

from fastapi import Depends, Query
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

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

    Use it to annotate a parameter of an endpoint: `Annotated[ListQuery, list_query(PRODUCT_LIST)]`.
    """

    async def read(parameters: BaseModel) -> ListQuery:
        try:
            return schema.query_from(parameters)
        except ParameterError as error:
            location = ("query", error.parameter)
            fault = {"loc": location, "msg": str(error), "type": "value_error"}
            raise RequestValidationError([fault]) from None

    # FastAPI reads the parameters, and what the OpenAPI document says of them, from here.
    read.__annotations__["parameters"] = Annotated[schema.parameters, Query()]
    return Depends(read)
