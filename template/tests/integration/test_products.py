"""Products over HTTP, from the request to the store and back."""

import asyncio
from typing import Any

import pytest
from httpx import AsyncClient

from .schemas import ProductSchema
from tests.harness import check_response

PRODUCTS = "/api/v1/products"
UNKNOWN = f"{PRODUCTS}/018f0000-0000-7000-8000-000000000000"


async def create(client: AsyncClient, sku: str, **fields: str) -> dict[str, Any]:
    """Create a product and return it as the service shows it."""
    body = {"sku": sku, "name": "Lamp", "price": "12.50", **fields}
    response = await client.post(PRODUCTS, json=body)
    product: dict[str, Any] = check_response(response, 201, ProductSchema)
    return product


async def test_a_new_product_is_at_its_location(api_client: AsyncClient) -> None:
    """The response to a creation has the product, and its address in Location."""
    response = await api_client.post(
        PRODUCTS, json={"sku": "LAMP-1", "name": "Lamp", "price": "12.50"}
    )
    product = check_response(response, 201, ProductSchema)
    fetched = await api_client.get(response.headers["Location"])
    assert check_response(fetched, 200, ProductSchema) == product
    assert (product["price"], product["status"], product["version"]) == ("12.50", "draft", 1)


async def test_a_sku_belongs_to_one_product(api_client: AsyncClient) -> None:
    """A second product with the same SKU is a conflict, and the message has the SKU."""
    await create(api_client, "LAMP-1")
    response = await api_client.post(
        PRODUCTS, json={"sku": "LAMP-1", "name": "Other", "price": "1"}
    )
    problem = check_response(response, 409)
    assert problem["type"] == "urn:problem-type:sku-taken"
    assert "LAMP-1" in problem["detail"]


async def test_concurrent_creations_make_one_product(api_client: AsyncClient) -> None:
    """Creations of the same SKU at once make one product, and the others are conflicts."""
    body = {"sku": "LAMP-1", "name": "Lamp", "price": "1"}
    responses = await asyncio.gather(*(api_client.post(PRODUCTS, json=body) for _ in range(8)))
    assert sorted(response.status_code for response in responses) == [201] + [409] * 7


async def skus(client: AsyncClient, **query: int | str | list[str]) -> list[str]:
    """Return the SKUs of the products on a page."""
    response = await client.get(PRODUCTS, params=query)
    products = check_response(response, 200, ProductSchema, many=True)
    return [product["sku"] for product in products]


async def test_pages_follow_one_another(api_client: AsyncClient) -> None:
    """Every product is on exactly one page, oldest first, also while more are added."""
    for number in range(5):
        await create(api_client, f"LAMP-{number}")
    pages = [await skus(api_client, limit=2)]
    await create(api_client, "LATE")
    query: dict[str, int | str] = {"limit": 2}
    page = (await api_client.get(PRODUCTS, params=query)).json()["page"]
    assert page["previous_cursor"] is None
    while page["next_cursor"] is not None:
        query["cursor"] = page["next_cursor"]
        pages.append(await skus(api_client, **query))
        page = (await api_client.get(PRODUCTS, params=query)).json()["page"]
    assert pages == [["LAMP-0", "LAMP-1"], ["LAMP-2", "LAMP-3"], ["LAMP-4", "LATE"]]
    assert await skus(api_client, limit=2, cursor=page["previous_cursor"]) == pages[1]


async def test_a_list_is_filtered_and_sorted(api_client: AsyncClient) -> None:
    """Filters select products, and sort columns apply in their order."""
    await create(api_client, "LAMP-1", price="5")
    await create(api_client, "LAMP-2", price="7", status="active")
    await create(api_client, "SOFA-1", price="7", name="Sofa")
    assert await skus(api_client, sort=["-price", "name"]) == ["LAMP-2", "SOFA-1", "LAMP-1"]
    assert await skus(api_client, sort="-id", limit=1) == ["SOFA-1"]
    assert await skus(api_client, sku="LAMP-2") == ["LAMP-2"]
    assert await skus(api_client, status=["active", "retired"]) == ["LAMP-2"]
    assert await skus(api_client, price__gte="5", price__lt="7") == ["LAMP-1"]
    assert await skus(api_client, name__startswith="La") == ["LAMP-1", "LAMP-2"]
    assert await skus(api_client, name__startswith="%") == []


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("status", "sold"),
        ("price__gte", "cheap"),
        ("created_at__lt", "2026-01-01T00:00:00"),
        ("sort", "sku"),
        ("colour", "red"),
        ("limit", "0"),
        ("cursor", "x"),
        ("cursor", "é"),
        ("cursor", "A" * 32),
    ],
)
async def test_a_list_refuses_wrong_parameters(
    api_client: AsyncClient, parameter: str, value: str
) -> None:
    """A wrong filter, sort, cursor or parameter is a client error that names it."""
    problem = check_response(await api_client.get(PRODUCTS, params={parameter: value}), 422)
    assert problem["errors"][0]["location"].startswith(f"query.{parameter}")


async def test_a_change_makes_the_next_version(api_client: AsyncClient) -> None:
    """A change affects only the sent fields and the version."""
    product = await create(api_client, "LAMP-1")
    response = await api_client.patch(
        f"{PRODUCTS}/{product['id']}", json={"version": 1, "name": "Desk lamp", "status": "active"}
    )
    changed = check_response(response, 200, ProductSchema)
    assert (changed["name"], changed["status"], changed["version"]) == ("Desk lamp", "active", 2)
    assert (changed["price"], changed["created_at"]) == (product["price"], product["created_at"])


async def test_a_change_to_an_old_version_is_a_conflict(api_client: AsyncClient) -> None:
    """Of two clients that read the same version, the second one has to read again."""
    product = await create(api_client, "LAMP-1")
    address = f"{PRODUCTS}/{product['id']}"
    check_response(
        await api_client.patch(address, json={"version": 1, "price": "2"}), 200, ProductSchema
    )
    problem = check_response(
        await api_client.patch(address, json={"version": 1, "price": "3"}), 409
    )
    assert problem["type"] == "urn:problem-type:stale-product"
    current = check_response(await api_client.get(address), 200, ProductSchema)
    assert current["price"] == "2.00"


async def test_concurrent_changes_make_one_version(api_client: AsyncClient) -> None:
    """Of changes to the same version at once, one succeeds, and the others are conflicts."""
    product = await create(api_client, "LAMP-1")
    address = f"{PRODUCTS}/{product['id']}"
    bodies = [{"version": 1, "price": str(price)} for price in range(1, 9)]
    responses = await asyncio.gather(*(api_client.patch(address, json=body) for body in bodies))
    assert sorted(response.status_code for response in responses) == [200] + [409] * 7


async def test_a_retired_product_stays_retired(api_client: AsyncClient) -> None:
    """A step back in a product's life is a conflict."""
    product = await create(api_client, "LAMP-1", status="retired")
    response = await api_client.patch(
        f"{PRODUCTS}/{product['id']}", json={"version": 1, "status": "active"}
    )
    assert check_response(response, 409)["type"] == "urn:problem-type:status-transition"


async def test_a_deleted_product_is_gone(api_client: AsyncClient) -> None:
    """Deleting returns no body. Afterwards, the product is not found."""
    product = await create(api_client, "LAMP-1")
    address = f"{PRODUCTS}/{product['id']}"
    response = await api_client.delete(address)
    check_response(response, 204)
    assert "Content-Type" not in response.headers
    check_response(await api_client.get(address), 404)
    check_response(await api_client.delete(address), 404)


async def test_an_unknown_product_is_not_found(api_client: AsyncClient) -> None:
    """Reading or changing an unknown product is a 404 problem."""
    assert "There is no product" in check_response(await api_client.get(UNKNOWN), 404)["detail"]
    response = await api_client.patch(UNKNOWN, json={"version": 1, "name": "Lamp"})
    assert check_response(response, 404)["type"] == "urn:problem-type:product-not-found"
