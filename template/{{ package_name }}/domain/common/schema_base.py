"""The bases of what clients send and see."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, model_validator


def _without_nul(text: str) -> str:
    # Some stores cannot keep this one character, and it ends strings in other languages.
    if "\0" in text:
        raise ValueError("the character NUL is not allowed")
    return text


Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_without_nul),
]
"""One to 200 characters, none of them NUL, without space around them."""


class ReadSchema(BaseModel):
    """What a client sees of a model, read from its attributes."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class WriteSchema(BaseModel):
    """What a client sends; a field that nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class UpdateSchema(WriteSchema):
    """What a client sends to change parts of a model: a field left out stays as it is."""

    version: int

    @model_validator(mode="before")
    @classmethod
    def _refuse_null(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the client sent
        if isinstance(data, dict) and (
            nulls := [name for name, value in data.items() if value is None]
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
