"""The types of columns that a list can be filtered and sorted by."""

import re
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Annotated, Any, Final, Literal, get_origin
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    Field,
    FiniteFloat,
    NaiveDatetime,
    WithJsonSchema,
)

from ..utils import union_members

DECIMAL: Final = r"[+-]?[0-9]{1,100}(\.[0-9]{1,100})?([Ee][+-]?[0-9]{1,2})?"


def _refuse_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("the character NUL is not allowed")
    return text


def _refuse_number(value: object) -> object:
    """Refuse what Pydantic reads as seconds since 1970: the OpenAPI document asks for ISO 8601."""
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return value
        raise ValueError("send a timestamp in ISO 8601, such as 2026-11-28T09:30:00Z")
    return value


def _refuse_other_decimals(value: object) -> object:
    """Refuse NaN, infinity, and numbers with too many digits to store."""
    if isinstance(value, str) and not re.fullmatch(DECIMAL, value):
        raise ValueError("send a decimal number, such as 12.50, of at most 100 digits")
    return value


Timestamp = Annotated[AwareDatetime, BeforeValidator(_refuse_number)]
NoNulText = Annotated[
    str, AfterValidator(_refuse_nul), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})
]
BigInt = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
DecimalText = Annotated[
    Decimal,
    BeforeValidator(_refuse_other_decimals),
    WithJsonSchema({"type": "string", "format": "decimal", "pattern": f"^{DECIMAL}$"}),
]

ACCEPTED: Final[dict[Any, Any]] = {
    bool: bool,
    int: BigInt,
    float: FiniteFloat,
    Decimal: DecimalText,
    str: NoNulText,
    datetime: Timestamp,
    AwareDatetime: Timestamp,
    NaiveDatetime: NaiveDatetime,
    date: date,
    time: time,
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
        names = ", ".join(read.model_fields)
        raise TypeError(f"{read.__name__} has no field {column!r}: use one of {names}")
    members = union_members(read.model_fields[column].annotation)
    kinds = [kind for kind in members if kind is not NoneType]
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
