"""Small helpers for all layers."""

from datetime import UTC, datetime
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a UUID version 7 (RFC 9562), which sorts by its creation time."""
    return uuid7()


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def union_members(annotation: Any) -> list[Any]:  # noqa: ANN401 - any type form
    """Return the members of a union, without their annotations."""
    if get_origin(annotation) is Annotated:
        return union_members(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        return [kind for member in get_args(annotation) for kind in union_members(member)]
    return [annotation]
