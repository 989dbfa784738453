"""What clients see of the statistics of products."""

from ..common.schema_base import ReadSchema
from ..product.enums import ProductStatus


class ProductStatisticsRead(ReadSchema):
    """How many products have each status."""

    counts: dict[ProductStatus, int]
