"""A change to an event that breaks readers is caught by its stored schema, and named."""

import json
from typing import ClassVar

import pytest
from pydantic import Field

from orders.domain.product.events import ProductCreated, ProductEventBase

from tests.harness.kafka import schemas


class Renamed(ProductEventBase):
    """A field has another name."""

    type: ClassVar[str] = "product.created"

    code: str
    name: str
    price: str


class Retyped(ProductCreated):
    """A field has another type."""

    sku: int  # type: ignore[assignment]  # the mistake that is to be found


class Required(ProductCreated):
    """There is a field that older messages do not have."""

    weight: int


class Extended(ProductCreated):
    """There is a field that may be missing, and other words about one."""

    weight: int = 0
    sku: str = Field(description="What the shop calls it.")


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        (Renamed, "body.sku is gone"),
        (Retyped, "body.sku: "),
        (Required, "body.weight is required now"),
        (Extended, None),
    ],
)
def test_what_readers_would_trip_over_is_named(
    event: type[ProductEventBase], fault: str | None
) -> None:
    """Only a new optional field and new words pass."""
    stored = json.loads(schemas.file("product.created.v1").read_text())
    faults = schemas.breaks(stored, event.body_schema())
    assert any(fault in one for one in faults) if fault else faults == []
