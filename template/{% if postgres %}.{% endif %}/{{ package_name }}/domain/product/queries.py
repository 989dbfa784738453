"""Reads products as clients see them."""

from uuid import UUID

from ..common.sql_queries_base import SqlQueriesBase
from .exceptions import ProductNotFoundError
from .model import Product
from .schema import PRODUCT_LIST, ProductRead


class ProductQueries(SqlQueriesBase[ProductRead]):
    """Finds products."""

    model = Product
    schema = ProductRead
    lists = PRODUCT_LIST

    async def get(self, product_id: UUID) -> ProductRead:
        """Return the product with this id.

        Raises:
            ProductNotFoundError: there is none.
        """
        product = await self.find_one(product_id)
        if product is None:
            raise ProductNotFoundError(product_id)
        return product
