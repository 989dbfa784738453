"""Create products.

Revision ID: 5f1d3a7c9e20
Revises:
Create Date: 2026-11-24 09:00:00+00:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "5f1d3a7c9e20"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of products and the type of their status."""
    product_status = postgresql.ENUM("draft", "active", "retired", name="product_status")
    product_status.create(op.get_bind())
    op.create_table(
        "products",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("price", sa.Numeric(12, 2), nullable=False),
        sa.Column(
            "status",
            postgresql.ENUM(name="product_status", create_type=False),
            nullable=False,
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.CheckConstraint("price >= 0", name=op.f("ck_products_price_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("sku", name=op.f("uq_products_sku")),
    )
    op.create_index(op.f("ix_products_status_id"), "products", ["status", "id"])


def downgrade() -> None:
    """Drop the table of products and the type of their status."""
    op.drop_index(op.f("ix_products_status_id"), table_name="products")
    op.drop_table("products")
    postgresql.ENUM(name="product_status").drop(op.get_bind())
