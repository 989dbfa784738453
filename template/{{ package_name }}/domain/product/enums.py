"""The values that a product's fields can have."""

from enum import StrEnum


class ProductStatus(StrEnum):
    """Where a product is in its life."""

    DRAFT = "draft"
    ACTIVE = "active"
    RETIRED = "retired"
