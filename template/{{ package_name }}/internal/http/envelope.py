"""The format of successful responses."""

from typing import Generic, TypeVar

from pydantic import BaseModel

Data = TypeVar("Data")


class Envelope(BaseModel, Generic[Data]):
    """An object in `data`."""

    data: Data


class PageInfo(BaseModel):
    """The cursor of the next page; `null` on the last page."""

    next_cursor: str | None


class PageEnvelope(BaseModel, Generic[Data]):
    """A page of objects in `data`, and the cursor of the next page in `page`."""

    data: list[Data]
    page: PageInfo
