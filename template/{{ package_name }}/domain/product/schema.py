"""What clients send and see of products."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from ..common.schema_base import ReadSchema, Text, UpdateSchema, WriteSchema


def _in_cents(price: Decimal) -> Decimal:
    return price.quantize(Decimal("0.01"))


PRICE_DOCUMENT = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": 9999999999.99},
        {"type": "string", "pattern": r"^[0-9]{1,10}(\.[0-9]{1,2})?$"},
    ]
}
Price = Annotated[
    Decimal,
    Field(ge=0, max_digits=12, decimal_places=2),
    AfterValidator(_in_cents),
    WithJsonSchema(PRICE_DOCUMENT, mode="validation"),
]
"""An amount of money with two decimal places, documented as far as JSON Schema goes."""

Sku = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9-]{0,63}$")]
Version = Annotated[int, Field(ge=1, le=2**31 - 1, description="As the client last read it.")]


class ProductStatus(StrEnum):
    """Where a product stands in its life."""

    DRAFT = "draft"
    ACTIVE = "active"
    RETIRED = "retired"


class ProductCreate(WriteSchema):
    """A new product."""

    sku: Sku
    name: Text
    price: Price
    status: ProductStatus = ProductStatus.DRAFT


class ProductUpdate(UpdateSchema):
    """Changes to a product."""

    version: Version
    name: Text | SkipJsonSchema[None] = None
    price: Price | SkipJsonSchema[None] = None
    status: ProductStatus | SkipJsonSchema[None] = None


class ProductRead(ReadSchema):
    """A product."""

    id: UUID
    sku: str
    name: str
    price: Decimal
    status: ProductStatus
    version: int
    created_at: datetime
    updated_at: datetime
