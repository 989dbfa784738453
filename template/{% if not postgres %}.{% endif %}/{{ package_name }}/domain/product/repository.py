"""Keeps products in the memory of the process."""

from ..common.memory_repository_base import MemoryRepositoryBase
from .exceptions import SkuTakenError
from .model import Product


class ProductRepository(MemoryRepositoryBase[Product]):
    """Keeps products."""

    model = Product

    async def add(self, model: Product) -> Product:
        """Keep a new product.

        Raises:
            SkuTakenError: another product has its SKU.
        """
        if any(product.sku == model.sku for product in self._models.values()):
            raise SkuTakenError(model.sku)
        return await super().add(model)
