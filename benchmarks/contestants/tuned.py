"""The hand-written application, tuned by hand in the way in which the service is tuned.

What a read costs when no ORM is in its way, and nothing of the service's middleware, log, request
id and envelope is there. The choices, each with its reason:

- Statements are SQLAlchemy's, compiled once: compiling costs more than running them.
- asyncpg runs reads on its own pool, without a transaction around a single SELECT.
- A row becomes a schema, and the schema JSON, once: a response model would validate it again.
- Writes are the hand-written application's, but answer with the schema's own JSON.
"""

import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
from fastapi import FastAPI, HTTPException, Response
from hand_written import Product, ProductCreate, ProductRead, Session
from pydantic import TypeAdapter
from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql.asyncpg import dialect

COLUMNS = Product.__table__.columns
ONE = str(select(COLUMNS).where(Product.id == bindparam("id")).compile(dialect=dialect()))
PAGE = str(
    select(COLUMNS).order_by(Product.id).limit(bindparam("limit")).compile(dialect=dialect())
)
PRODUCTS = TypeAdapter(list[ProductRead])


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Hold the pool of reads."""
    size = int(os.environ["POOL_SIZE"])
    url = os.environ["DATABASE_URL"]
    async with asyncpg.create_pool(url, min_size=size, max_size=size) as pool:
        app.state.pool = pool
        gc.freeze()
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/api/v1/products/{product_id}")
async def get_product(product_id: UUID) -> Response:
    """Return one product."""
    row = await app.state.pool.fetchrow(ONE, product_id)
    if row is None:
        raise HTTPException(404)
    return _json(ProductRead.model_validate(dict(row)))


@app.get("/api/v1/products")
async def list_products(limit: int = 20) -> Response:
    """Return a page of products."""
    rows = await app.state.pool.fetch(PAGE, limit)
    page = PRODUCTS.validate_python([dict(row) for row in rows])
    return Response(PRODUCTS.dump_json(page), media_type="application/json")


@app.post("/api/v1/products", status_code=201)
async def create_product(new: ProductCreate, session: Session) -> Response:
    """Add a product."""
    product = Product(**new.model_dump())
    session.add(product)
    await session.commit()
    return _json(ProductRead.model_validate(product), 201)


def _json(schema: ProductRead, status: int = 200) -> Response:
    return Response(schema.model_dump_json(), status, media_type="application/json")
