"""Keeps products in the table `products`."""

from ...internal.database import UniqueViolation
from ..common.sql_repository_base import SqlRepositoryBase
from .exceptions import SkuTakenError
from .model import Product


class ProductRepository(SqlRepositoryBase[Product]):
    """Keeps products."""

    model = Product

    async def add(self, model: Product) -> Product:
        """Keep a new product.

        Raises:
            SkuTakenError: another product has its SKU.
        """
        try:
            return await super().add(model)
        except UniqueViolation as error:
            if error.constraint == "uq_products_sku":
                raise SkuTakenError(model.sku) from None
            raise
