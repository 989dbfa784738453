"""Statistics of products over HTTP."""

from fastapi import APIRouter

from ..domain.product_statistics.schema import ProductStatisticsRead
from ..internal.http.envelope import Envelope
from .dependencies import ProductStatistics

# Not below /products, where "statistics" would be read as the id of a product.
router = APIRouter(prefix="/api/v1/product-statistics", tags=["product statistics"])


@router.get("", summary="Count products")
async def get_product_statistics(statistics: ProductStatistics) -> Envelope[ProductStatisticsRead]:
    """Count products by status. The counts follow the products' events, a moment later."""
    return Envelope(data=await statistics.get())
