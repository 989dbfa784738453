"""What can be done with products."""

from uuid import UUID

from ..common.repository_base import StaleModelError
from ..common.service_base import ServiceBase
from .enums import ProductStatus
from .exceptions import ProductNotFoundError, StaleProductError, StatusTransitionError
from .model import Product
from .repository import ProductRepository
from .schema import ProductCreate, ProductUpdate

NEXT_STATUSES = {
    ProductStatus.DRAFT: {ProductStatus.ACTIVE, ProductStatus.RETIRED},
    ProductStatus.ACTIVE: {ProductStatus.RETIRED},
    ProductStatus.RETIRED: set[ProductStatus](),
}


class ProductService(ServiceBase[ProductRepository]):
    """Creates, changes and deletes products."""

    async def create(self, data: ProductCreate) -> Product:
        """Return a new product.

        Raises:
            SkuTakenError: another product has this SKU.
        """
        return await self._repository.add(Product(**data.model_dump()))

    async def get(self, product_id: UUID) -> Product:
        """Return the product with this id.

        Raises:
            ProductNotFoundError: there is none.
        """
        product = await self._repository.get(product_id)
        if product is None:
            raise ProductNotFoundError(product_id)
        return product

    async def update(self, product_id: UUID, data: ProductUpdate) -> Product:
        """Change a product, and return it.

        Raises:
            ProductNotFoundError: there is none with this id.
            StaleProductError: it has changed since the version that the client read.
            StatusTransitionError: its status cannot become that one.
        """
        product = await self.get(product_id)
        if product.version != data.version:
            raise StaleProductError(product_id, data.version)
        check_transition(product.status, data.status)
        try:
            return await self._repository.update(product, data.changes())
        except StaleModelError:
            raise StaleProductError(product_id, data.version) from None

    async def delete(self, product_id: UUID) -> Product:
        """Delete a product, and return it as it was.

        Raises:
            ProductNotFoundError: there is none with this id.
        """
        product = await self._repository.delete(product_id)
        if product is None:
            raise ProductNotFoundError(product_id)
        return product


def check_transition(old: ProductStatus, new: ProductStatus | None) -> None:
    """Let a status become another one, itself, or stay as it is (None).

    Raises:
        StatusTransitionError: the life of a product has no such step.
    """
    if new is not None and new is not old and new not in NEXT_STATUSES[old]:
        raise StatusTransitionError(old, new)
