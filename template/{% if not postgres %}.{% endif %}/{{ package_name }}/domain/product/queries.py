"""Reads products as clients see them."""

from uuid import UUID

from ..common.memory_queries_base import MemoryQueriesBase
from .exceptions import ProductNotFoundError
from .model import Product
from .schema import ProductRead


class ProductQueries(MemoryQueriesBase[ProductRead]):
    """Finds products."""

    model = Product
    schema = ProductRead

    async def get(self, product_id: UUID) -> ProductRead:
        """Return the product with this id.

        Raises:
            ProductNotFoundError: there is none.
        """
        product = await self.find_one(product_id)
        if product is None:
            raise ProductNotFoundError(product_id)
        return product
