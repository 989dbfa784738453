"""Products over HTTP."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from ..domain.product.schema import ProductCreate, ProductRead, ProductStatus, ProductUpdate
from ..internal.http.envelope import Envelope, PageEnvelope, PageInfo
from ..internal.http.openapi import problem_responses
from ..internal.http.pagination import Page
from .dependencies import Products

router = APIRouter(prefix="/api/v1/products", tags=["products"])


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    summary="Create a product",
    responses=problem_responses(409),
)
async def create_product(
    data: ProductCreate, products: Products, request: Request, response: Response
) -> Envelope[ProductRead]:
    """Create a product; the SKU has to be its own."""
    product = ProductRead.model_validate(await products.create(data))
    response.headers["Location"] = request.url_for("get_product", product_id=product.id).path
    return Envelope(data=product)


@router.get("", summary="List products")
async def list_products(
    products: Products,
    page: Page,
    status: Annotated[
        ProductStatus | None, Query(description="Only products of this status.")
    ] = None,
) -> PageEnvelope[ProductRead]:
    """List products, oldest first."""
    found = await products.page(after=page.after, limit=page.limit, status=status)
    return PageEnvelope(
        data=[ProductRead.model_validate(product) for product in found.items],
        page=PageInfo(next_cursor=page.cursor(found.next_after)),
    )


@router.get("/{product_id}", summary="Get a product", responses=problem_responses(404))
async def get_product(product_id: UUID, products: Products) -> Envelope[ProductRead]:
    """Get one product by its id."""
    return Envelope(data=ProductRead.model_validate(await products.get(product_id)))


@router.patch("/{product_id}", summary="Change a product", responses=problem_responses(404, 409))
async def update_product(
    product_id: UUID, data: ProductUpdate, products: Products
) -> Envelope[ProductRead]:
    """Change parts of a product, as long as it is still at the version that the client read."""
    return Envelope(data=ProductRead.model_validate(await products.update(product_id, data)))


@router.delete(
    "/{product_id}",
    status_code=HTTPStatus.NO_CONTENT,
    response_class=Response,
    summary="Delete a product",
    responses=problem_responses(404),
)
async def delete_product(product_id: UUID, products: Products) -> None:
    """Delete a product."""
    await products.delete(product_id)
