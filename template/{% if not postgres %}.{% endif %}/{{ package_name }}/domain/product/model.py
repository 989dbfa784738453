"""A product as the service keeps it."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from ...internal.utils import new_id, utc_now
from .enums import ProductStatus


@dataclass(frozen=True)
class Product:
    """Something that can be sold."""

    sku: str
    name: str
    price: Decimal
    status: ProductStatus
    id: UUID = field(default_factory=new_id)
    version: int = 1
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)
