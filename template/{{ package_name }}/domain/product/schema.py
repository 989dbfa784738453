"""What clients send and see of products."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema

from ...internal.lists import ListSchema
from ..common.amount import Amount
from ..common.schema_base import ReadSchema, Text, UpdateSchema, WriteSchema
from .enums import ProductStatus

Sku = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9-]{0,63}$")]
Version = Annotated[int, Field(ge=1, le=2**31 - 1, description="As the client last read it.")]


class ProductCreate(WriteSchema):
    """A new product."""

    sku: Sku
    name: Text
    price: Amount
    status: ProductStatus = ProductStatus.DRAFT


class ProductUpdate(UpdateSchema):
    """Changes to a product."""

    version: Version
    name: Text | SkipJsonSchema[None] = None
    price: Amount | SkipJsonSchema[None] = None
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


PRODUCT_LIST = ListSchema(
    ProductRead,
    equal=("sku",),
    one_of=("status",),
    between=("price", "created_at"),
    starts_with=("name",),
    sort=("name", "price"),
)
