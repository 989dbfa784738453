"""Announces what happens to products."""

from typing import Any
from uuid import UUID

from ...internal.kafka import ProducerBase
from .events import ProductChanged, ProductCreated, ProductDeleted
from .model import Product
from .repository import ProductRepository
from .schema import ProductCreate, ProductUpdate
from .service import ProductService


class PublishingProductService(ProductService):
    """Does what `ProductService` does, and publishes an event for each change."""

    def __init__(self, repository: ProductRepository, producer: ProducerBase) -> None:
        super().__init__(repository)
        self._producer = producer

    async def create(self, data: ProductCreate) -> Product:
        """Return a new product, and publish `ProductCreated`."""
        product = await super().create(data)
        await self._producer.publish(ProductCreated(**_state(product), **_details(product)))
        return product

    async def update(self, product_id: UUID, data: ProductUpdate) -> Product:
        """Change a product and return it, and publish `ProductChanged` if anything differs."""
        before = await self.get(product_id)
        previous_status, previous_version = before.status, before.version
        product = await super().update(product_id, data)
        if product.version == previous_version:
            return product
        await self._producer.publish(
            ProductChanged(**_state(product), **_details(product), previous_status=previous_status)
        )
        return product

    async def delete(self, product_id: UUID) -> Product:
        """Delete a product, and publish `ProductDeleted`."""
        product = await super().delete(product_id)
        await self._producer.publish(ProductDeleted(**_state(product)))
        return product


def _state(product: Product) -> dict[str, Any]:
    return {
        "product_id": product.id,
        "product_version": product.version,
        "status": product.status,
    }


def _details(product: Product) -> dict[str, Any]:
    return {"sku": product.sku, "name": product.name, "price": product.price}
