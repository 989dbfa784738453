"""Amounts of money in requests."""

import math
import re
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

MAX_AMOUNT: Final = 9999999999.99
CENT: Final = Decimal("0.01")
WRITTEN: Final = r"[0-9]{1,10}(\.[0-9]{1,2})?"


def _read_amount(value: object) -> Decimal:
    """Return whole cents. A float may differ in its last bits, such as 115 * 0.01."""
    if isinstance(value, Decimal):
        value = f"{value:f}"
    if isinstance(value, str) and re.fullmatch(WRITTEN, value):
        return Decimal(value).quantize(CENT)
    if isinstance(value, bool):
        value = None  # a bool is a number in Python
    if isinstance(value, int | float) and 0 <= value <= MAX_AMOUNT:
        cents = abs(Decimal(value).quantize(CENT))  # abs() removes the sign of -0.0
        if math.isclose(value, cents, rel_tol=4e-16):
            return cents
    raise ValueError(f"an amount is 0 to {MAX_AMOUNT} with two decimal places, such as 12.50")


Amount = Annotated[
    Decimal,
    BeforeValidator(_read_amount),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": MAX_AMOUNT, "multipleOf": float(CENT)},
                {"type": "string", "pattern": f"^{WRITTEN}$"},
            ]
        },
        mode="validation",
    ),
]
"""An amount from 0 to 9999999999.99: a number, or a string with exact digits."""
