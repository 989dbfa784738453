"""What the endpoints work with: each request has its own services."""

from typing import Annotated

from fastapi import Depends

from ..domain.product.publishing import PublishingProductService
from ..domain.product.repository import ProductRepository
from ..domain.product.service import ProductService
from ..domain.product_statistics.repository import ProductStatisticsRepository
from ..domain.product_statistics.service import ProductStatisticsService
from ..internal.kafka import Producer
from .storage import Store


async def product_service(store: Store, producer: Producer) -> ProductService:
    """Return a service for one request, which publishes what it changes."""
    return PublishingProductService(ProductRepository(store), producer)


async def product_statistics_service(store: Store) -> ProductStatisticsService:
    """Return a service for one request."""
    return ProductStatisticsService(ProductStatisticsRepository(store))


Products = Annotated[ProductService, Depends(product_service)]
ProductStatistics = Annotated[ProductStatisticsService, Depends(product_statistics_service)]
