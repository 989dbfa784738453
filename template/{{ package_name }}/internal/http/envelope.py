"""The shape of every successful answer."""

from typing import Generic, TypeVar

from pydantic import BaseModel

Data = TypeVar("Data")


class Envelope(BaseModel, Generic[Data]):
    """One thing, under `data`."""

    data: Data


class PageInfo(BaseModel):
    """Where the next page starts; `null` on the last one."""

    next_cursor: str | None


class PageEnvelope(BaseModel, Generic[Data]):
    """A page of things under `data`, and the way to the next one under `page`."""

    data: list[Data]
    page: PageInfo
