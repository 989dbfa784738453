"""Base classes of request and response schemas."""

from datetime import date, datetime, time
from decimal import Decimal
from types import NoneType
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ...internal.utils import union_members

NOT_BLANK: Final = r"^[^\u0000]*[^\s\u0000][^\u0000]*$"

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


def strip(text: str) -> str:
    """Return a text without the space around it.

    Raises:
        ValueError: the text is empty, or contains NUL.
    """
    # Some storage does not support this character, and it ends strings in C.
    if "\0" in text:
        raise ValueError("the character NUL is not allowed")
    if not (stripped := text.strip()):
        raise ValueError("send at least one character that is not a space")
    return stripped


Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    AfterValidator(strip),
    Field(json_schema_extra={"pattern": NOT_BLANK}),
]
"""One to 200 characters, none of them NUL; space around them is removed."""


class ReadSchema(BaseModel):
    """A response schema, filled from a model's attributes."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class WriteSchema(BaseModel):
    """A request schema. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_other_types(cls, value: object, info: ValidationInfo) -> object:
        check_json_type(value, cls.model_fields[info.field_name or ""].annotation)
        return value


class UpdateSchema(WriteSchema):
    """A request schema for a partial update. Omitted fields do not change."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 2})  # version, and a change

    clearable: ClassVar[frozenset[str]] = frozenset()
    """Optional fields, which null clears. Null is refused for all others."""

    version: int

    @model_validator(mode="before")
    @classmethod
    def _refuse_null(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the client sent
        if isinstance(data, dict) and (
            nulls := [
                name for name, value in data.items() if value is None and name not in cls.clearable
            ]
        ):
            raise ValueError(f"{', '.join(nulls)} may be left out, but not null")
        return data

    @model_validator(mode="after")
    def _refuse_nothing(self) -> Self:
        if not self.changes():
            raise ValueError("nothing to change: send at least one field beside version")
        return self

    def changes(self) -> dict[str, Any]:
        """Return the fields that the client sent, by name."""
        return self.model_dump(exclude_unset=True, exclude={"version"})


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
