"""What the endpoints work with: each request has its own services."""

from typing import Annotated

from fastapi import Depends

from ..domain.product.publishing import PublishingProductService
from ..domain.product.queries import ProductQueries
from ..domain.product.repository import ProductRepository
from ..domain.product.service import ProductService
from ..domain.product_statistics.queries import ProductStatisticsQueries
from ..internal.kafka import Producer
from .storage import Source, Store


async def product_service(store: Store, producer: Producer) -> ProductService:
    """Return a service for one request, which publishes what it changes."""
    return PublishingProductService(ProductRepository(store), producer)


async def product_statistics(source: Source) -> ProductStatisticsQueries:
    """Return the queries of statistics."""
    return ProductStatisticsQueries(source)


async def product_queries(source: Source) -> ProductQueries:
    """Return the queries of products."""
    return ProductQueries(source)


ReadProducts = Annotated[ProductQueries, Depends(product_queries)]
Products = Annotated[ProductService, Depends(product_service)]
ProductStatistics = Annotated[ProductStatisticsQueries, Depends(product_statistics)]
