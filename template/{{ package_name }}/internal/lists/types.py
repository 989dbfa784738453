"""The types of columns that a list can be filtered and sorted by."""

from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    Field,
    FiniteFloat,
    NaiveDatetime,
)


def _refuse_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("the character NUL is not allowed")
    return text


def _refuse_number(value: object) -> object:
    # Pydantic reads a number as seconds since 1970, which the document does not offer.
    if isinstance(value, str) and not {"-", ":"} & set(value[1:].replace("e-", "")):
        raise ValueError("send ISO 8601, such as 2026-11-28 or 2026-11-28T09:30:00Z")
    return value


ISO_8601: Final = BeforeValidator(_refuse_number)
NoNulText = Annotated[
    str, AfterValidator(_refuse_nul), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})
]
BigInt = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
BoundedDecimal = Annotated[Decimal, Field(max_digits=100, decimal_places=50)]

ACCEPTED: Final[dict[Any, Any]] = {
    bool: bool,
    int: BigInt,
    float: FiniteFloat,
    Decimal: BoundedDecimal,
    str: NoNulText,
    datetime: Annotated[AwareDatetime, ISO_8601],
    AwareDatetime: Annotated[AwareDatetime, ISO_8601],
    NaiveDatetime: Annotated[NaiveDatetime, ISO_8601],
    date: Annotated[date, ISO_8601],
    time: Annotated[time, ISO_8601],
    UUID: UUID,
}
"""What a client may send for a column of each type."""

WITHOUT_RANGES: Final = (bool, str, UUID)
"""Types that are compared only for equality: the order of texts depends on where they are kept."""


def column_type(read: type[BaseModel], column: str) -> Any:  # noqa: ANN401 - any type form
    """Return the type of a field, without `None` and without constraints.

    Raises:
        TypeError: there is no such field, or lists cannot be filtered or sorted by its type.
    """
    if column not in read.model_fields:
        known = ", ".join(read.model_fields)
        raise TypeError(f"{read.__name__} has no field {column!r}: use one of {known}")
    kinds = [kind for kind in _kinds(read.model_fields[column].annotation) if kind is not NoneType]
    if len(kinds) == 1 and (kinds[0] in ACCEPTED or _is_choice(kinds[0])):
        return kinds[0]
    raise TypeError(
        f"{read.__name__}.{column} cannot be filtered or sorted by: "
        "its type is not a number, text, date, time, UUID or enum"
    )


def has_ranges(kind: Any) -> bool:  # noqa: ANN401 - any type form
    """Say whether values of this type can be compared by size."""
    return kind not in WITHOUT_RANGES and not _is_choice(kind)


def checked_type(kind: Any) -> Any:  # noqa: ANN401 - any type form
    """Return the type that Pydantic checks a client's value with."""
    return ACCEPTED.get(kind, kind)


def _is_choice(kind: Any) -> bool:  # noqa: ANN401 - any type form
    return get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, Enum))


def _kinds(annotation: Any) -> list[Any]:  # noqa: ANN401 - any type form
    """Return the members of a union, without their annotations."""
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        return [kind for member in get_args(annotation) for kind in _kinds(member)]
    return [annotation]
