"""What can go wrong with a product."""

from uuid import UUID

from ..common.exception_base import ConflictError, NotFoundError
from .enums import ProductStatus


class ProductNotFoundError(NotFoundError):
    """There is no such product."""

    def __init__(self, product_id: UUID) -> None:
        super().__init__(f"There is no product {product_id}.")


class SkuTakenError(ConflictError):
    """Another product has this SKU."""

    def __init__(self, sku: str) -> None:
        super().__init__(f"Another product has the SKU {sku!r}: choose a different one.")


class StaleProductError(ConflictError):
    """The product has changed since the client read it."""

    def __init__(self, product_id: UUID, version: int) -> None:
        super().__init__(
            f"Product {product_id} has changed since version {version}: "
            "read it again, and repeat the change."
        )


class StatusTransitionError(ConflictError):
    """A product cannot go from this status to that one."""

    def __init__(self, old: ProductStatus, new: ProductStatus) -> None:
        super().__init__(f"A product that is {old.value} cannot become {new.value}.")
