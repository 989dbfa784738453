"""What can be done with the statistics of products."""

from ..common.service_base import ServiceBase
from ..product.events import ProductEvent
from .repository import ProductStatisticsRepository


class ProductStatisticsService(ServiceBase[ProductStatisticsRepository]):
    """Counts products by status."""

    async def record(self, event: ProductEvent) -> None:
        """Count the change that an event reports."""
        await self._repository.record(event)
