"""The example's requests, written by hand with FastAPI and SQLAlchemy.

What an experienced developer writes first. The choices, each with its reason:

- A session per request, and ORM objects into a response model: so both libraries' tutorials do it.
- `expire_on_commit=False`, because a lazy load cannot work in asyncio.
- No `refresh` after the commit: PostgreSQL returns the defaults with the INSERT.
- No rollback, log, middleware, request id or envelope: whatever is left out makes it faster.
- The pool's size, uvloop, httptools and the garbage collector's settings are the service's, so that
  a difference comes from the code.
"""

import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict
from sqlalchemy import DateTime, Enum, Numeric, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"),
    pool_size=int(os.environ["POOL_SIZE"]),
    max_overflow=0,
)
new_session = async_sessionmaker(engine, expire_on_commit=False)
gc.set_threshold(50_000)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Let the garbage collector skip what exists by now."""
    gc.freeze()
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


class Status(StrEnum):
    """Where a product stands."""

    DRAFT = "draft"
    ACTIVE = "active"
    RETIRED = "retired"


class Base(DeclarativeBase):
    """The base of the tables."""


class Product(Base):
    """A row of the table that the service's migration has created."""

    __tablename__ = "products"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    sku: Mapped[str]
    name: Mapped[str]
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    status: Mapped[Status] = mapped_column(
        Enum(
            Status,
            name="product_status",
            values_callable=lambda cls: [member.value for member in cls],
        )
    )
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class ProductCreate(BaseModel):
    """A new product."""

    sku: str
    name: str
    price: Decimal
    status: Status = Status.DRAFT


class ProductRead(BaseModel):
    """A product as a client sees it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    sku: str
    name: str
    price: Decimal
    status: Status
    version: int
    created_at: datetime
    updated_at: datetime


async def get_session() -> AsyncIterator[AsyncSession]:
    """Give the request a session."""
    async with new_session() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]


@app.get("/api/v1/products/{product_id}", response_model=ProductRead)
async def get_product(product_id: UUID, session: Session) -> Product:
    """Return one product."""
    product = await session.get(Product, product_id)
    if product is None:
        raise HTTPException(404)
    return product


@app.get("/api/v1/products", response_model=list[ProductRead])
async def list_products(
    session: Session, after: UUID | None = None, limit: int = 20
) -> list[Product]:
    """Return a page of products."""
    query = select(Product).order_by(Product.id).limit(limit)
    if after is not None:
        query = query.where(Product.id > after)
    return list(await session.scalars(query))


@app.post("/api/v1/products", response_model=ProductRead, status_code=201)
async def create_product(new: ProductCreate, session: Session) -> Product:
    """Add a product."""
    product = Product(**new.model_dump())
    session.add(product)
    await session.commit()
    return product
