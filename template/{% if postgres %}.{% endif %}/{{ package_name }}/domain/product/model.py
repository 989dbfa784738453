"""A product as the database keeps it."""

from decimal import Decimal

from sqlalchemy import CheckConstraint, Index, Numeric, String
from sqlalchemy.orm import Mapped, mapped_column

from ..common.model_base import EntityModel, enum_type
from .enums import ProductStatus


class Product(EntityModel):
    """Something that can be sold."""

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("price >= 0", name="price_not_negative"),
        Index(None, "status", "id"),
        Index(None, "name", "id"),
        Index(None, "price", "id"),
        Index("ix_products_name_prefix", "name", postgresql_ops={"name": "text_pattern_ops"}),
    )

    sku: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    status: Mapped[ProductStatus] = mapped_column(enum_type(ProductStatus, "product_status"))
