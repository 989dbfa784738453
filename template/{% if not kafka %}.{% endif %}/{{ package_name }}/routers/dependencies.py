"""What the endpoints work with: each request has its own services."""

from typing import Annotated

from fastapi import Depends

from ..domain.product.queries import ProductQueries
from ..domain.product.repository import ProductRepository
from ..domain.product.service import ProductService
from .storage import Source, Store


async def product_service(store: Store) -> ProductService:
    """Return a service for one request."""
    return ProductService(ProductRepository(store))


async def product_queries(source: Source) -> ProductQueries:
    """Return the queries of products."""
    return ProductQueries(source)


ReadProducts = Annotated[ProductQueries, Depends(product_queries)]
Products = Annotated[ProductService, Depends(product_service)]
