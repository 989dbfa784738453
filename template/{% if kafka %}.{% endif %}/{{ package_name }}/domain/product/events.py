"""What happens to products."""

from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from ...internal.kafka import EventBase
from .enums import ProductStatus


class ProductEventBase(EventBase):
    """Something has happened to a product."""

    topic: ClassVar[str] = "products"

    product_id: UUID
    product_version: int
    status: ProductStatus

    @property
    def key(self) -> str:
        """The product's id: the events of one product keep their order."""
        return str(self.product_id)


class ProductCreated(ProductEventBase):
    """A product has been created."""

    type: ClassVar[str] = "product.created"

    sku: str
    name: str
    price: Decimal


class ProductChanged(ProductEventBase):
    """A product has been changed: this is what it is now, and the status that it had before."""

    type: ClassVar[str] = "product.changed"

    sku: str
    name: str
    price: Decimal
    previous_status: ProductStatus


class ProductDeleted(ProductEventBase):
    """A product has been deleted: this is what it was."""

    type: ClassVar[str] = "product.deleted"


ProductEvent = ProductCreated | ProductChanged | ProductDeleted
