"""What the endpoints work with: each request has its own services."""

from typing import Annotated

from fastapi import Depends

from ..domain.product.repository import ProductRepository
from ..domain.product.service import ProductService
from .storage import Store


async def product_service(store: Store) -> ProductService:
    """Return a service for one request."""
    return ProductService(ProductRepository(store))


Products = Annotated[ProductService, Depends(product_service)]
