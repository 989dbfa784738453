"""Types of request fields, with limits that all storage supports."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from ...internal.lists.types import Timestamp as IsoTimestamp
from .schema_base import NOT_BLANK, strip

MILLIONTH: Final = Decimal("0.000001")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a timestamp is between the years 1 and 9999 in UTC") from None


LongText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=10_000),
    AfterValidator(strip),
    Field(json_schema_extra={"pattern": NOT_BLANK}),
]
"""One to 10,000 characters, none of them NUL; space around them is removed."""

Integer = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
"""An integer of 32 bits."""

Number = Annotated[
    Decimal,
    Field(max_digits=20, decimal_places=6),
    AfterValidator(lambda number: number.quantize(MILLIONTH)),
]
"""A decimal number with at most 14 digits before the point and six after it, stored exactly."""

Timestamp = Annotated[IsoTimestamp, AfterValidator(_in_utc)]
"""A timestamp with an offset from UTC. The offset is not stored."""
