"""A body must have the JSON types of the OpenAPI document."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from orders.domain.common.amount import Amount
from orders.domain.common.field_types import Timestamp
from orders.domain.common.schema_base import Text, UpdateSchema, WriteSchema


class Everything(WriteSchema):
    """A field of each type that Pydantic converts others to."""

    whole: Annotated[int, Field(ge=0)] | None = None
    number: float = 0
    truth: bool = False
    decimal: Decimal = Decimal(0)
    moment: datetime | None = None
    either: int | str = 0
    text: Text = "x"
    amount: Amount = Decimal(0)


class Change(UpdateSchema):
    """A change of an older service, whose version is the base's."""

    name: Text = "x"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("whole", True),
        ("whole", "1"),
        ("whole", 1.5),
        ("number", True),
        ("number", "1"),
        ("truth", 1),
        ("truth", "yes"),
        ("decimal", True),
        ("moment", 1),
        ("moment", True),
        ("either", True),
        ("text", 1),
        ("text", " "),
        ("text", " " * 200 + "x"),
        ("amount", True),
        ("amount", "-0"),
        ("amount", "1e2"),
        ("amount", "+1"),
        ("amount", " 1"),
        ("amount", "1."),
        ("amount", "\u0663"),
        ("amount", 1.001),
        ("amount", 1e-320),
        ("amount", 10_000_000_000),
        ("amount", float("nan")),
        ("amount", 10**400),
    ],
)
def test_types_that_the_document_excludes_are_refused(field: str, value: object) -> None:
    """Pydantic alone would convert them."""
    with pytest.raises(ValidationError) as refusal:
        Everything.model_validate({field: value})
    assert {error["loc"][0] for error in refusal.value.errors()} == {field}


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("whole", 1.0, 1),
        ("whole", None, None),
        ("number", 1, 1.0),
        ("truth", True, True),
        ("decimal", "1.5", Decimal("1.5")),
        ("moment", "2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC)),
        ("either", "1", "1"),
        ("text", " x ", "x"),
        ("amount", "12.5", Decimal("12.50")),
        ("amount", 12, Decimal("12.00")),
        ("amount", 115 * 0.01, Decimal("1.15")),
        ("amount", 9999999999.99, Decimal("9999999999.99")),
    ],
)
def test_types_that_the_document_allows_are_accepted(
    field: str, value: object, read: object
) -> None:
    """Also whole numbers with a decimal point, and amounts that a float cannot store exactly."""
    assert getattr(Everything.model_validate({field: value}), field) == read


def test_negative_zero_becomes_zero() -> None:
    """The document allows -0.0, and an amount has only one form."""
    assert str(Everything.model_validate({"amount": -0.0}).amount) == "0.00"


@pytest.mark.parametrize("version", [True, "1", None, 1.5])
def test_a_version_is_a_whole_number(version: object) -> None:
    """Also in a schema that inherits the version from the base."""
    with pytest.raises(ValidationError):
        Change.model_validate({"version": version, "name": "Lamp"})


def test_the_document_shows_the_rules_of_the_validators() -> None:
    """A change beside the version, limits of numbers, and texts that are not blank."""
    assert Change.model_json_schema()["minProperties"] == 2
    fields: dict[str, Any] = Everything.model_json_schema()["properties"]
    assert fields["text"]["pattern"]
    number, text = fields["amount"]["anyOf"]
    assert (number["minimum"], number["multipleOf"]) == (0, 0.01)
    assert text["pattern"] == r"^[0-9]{1,10}(\.[0-9]{1,2})?$"


@pytest.mark.parametrize("number", ["0.5", "-1.5E-3", "20261128"])
def test_a_number_in_text_is_not_a_timestamp(number: str) -> None:
    """Pydantic would read it as seconds since 1970."""
    with pytest.raises(ValidationError, match="ISO 8601"):
        TypeAdapter(Timestamp).validate_python(number)
