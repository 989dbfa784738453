"""The JSON types that a field accepts. Pydantic alone would convert others."""

from datetime import date, datetime, time
from decimal import Decimal
from types import NoneType
from typing import Any, Final

from ...internal.utils import union_members

WORDS: Final[dict[type, tuple[str, tuple[type, ...]]]] = {
    NoneType: ("null", (NoneType,)),
    bool: ("true or false", (bool,)),
    int: ("a whole number", (int, float)),
    float: ("a number", (int, float)),
    Decimal: ("a number or a string", (int, float, str)),
    str: ("a string", (str,)),
    datetime: ("a string", (str,)),
    date: ("a string", (str,)),
    time: ("a string", (str,)),
}


def check_json_type(value: object, annotation: Any) -> None:  # noqa: ANN401 - any type form
    """Check that JSON Schema allows the type of a value for an annotation.

    Raises:
        ValueError: Pydantic would read it (`true` and `"1"` as the number 1), and clients would
            come to depend on what the OpenAPI document does not allow.
    """
    kinds = union_members(annotation)
    if type(value) in kinds or not all(kind in WORDS for kind in kinds):
        return
    allowed = tuple(json for kind in kinds for json in WORDS[kind][1])
    if isinstance(value, allowed) and not isinstance(value, bool):
        return
    words = [WORDS[kind][0] for kind in kinds if kind is not NoneType]
    raise ValueError(f"send {' or '.join(words)}")
