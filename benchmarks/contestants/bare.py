"""The example's requests on bare Starlette and asyncpg: about the least that Python can do.

No validation, no schema, no documentation. The garbage collector's settings are the service's.
"""

import gc
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from uuid import UUID

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

COLUMNS = "id, sku, name, price, status, version, created_at, updated_at"
ONE = f"SELECT {COLUMNS} FROM products WHERE id = $1"  # noqa: S608 - a constant
INSERT = f"""
INSERT INTO products (id, sku, name, price, status, version)
VALUES (gen_random_uuid(), $1, $2, $3, 'draft', 1) RETURNING {COLUMNS}
"""  # noqa: S608 - constants
PAGE = f"SELECT {COLUMNS} FROM products ORDER BY id LIMIT $1"  # noqa: S608 - a constant
gc.set_threshold(50_000)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Hold the pool."""
    size = int(os.environ["POOL_SIZE"])
    async with asyncpg.create_pool(
        os.environ["DATABASE_URL"], min_size=size, max_size=size
    ) as pool:
        app.state.pool = pool
        gc.freeze()
        yield


async def get_product(request: Request) -> Response:
    """Return one product."""
    row = await request.app.state.pool.fetchrow(ONE, UUID(request.path_params["product_id"]))
    return Response(status_code=404) if row is None else _json(dict(row))


async def list_products(request: Request) -> Response:
    """Return a page of products."""
    rows = await request.app.state.pool.fetch(PAGE, int(request.query_params.get("limit", "20")))
    return _json([dict(row) for row in rows])


async def create_product(request: Request) -> Response:
    """Insert a product."""
    body = await request.json()
    price = Decimal(body["price"])
    row = await request.app.state.pool.fetchrow(INSERT, body["sku"], body["name"], price)
    return _json(dict(row), 201)


def _json(content: object, status: int = 200) -> Response:
    return Response(json.dumps(content, default=str), status, media_type="application/json")


app = Starlette(
    routes=[
        Route("/api/v1/products/{product_id}", get_product),
        Route("/api/v1/products", list_products),
        Route("/api/v1/products", create_product, methods=["POST"]),
    ],
    lifespan=lifespan,
)
