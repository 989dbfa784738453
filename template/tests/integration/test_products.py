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


async def test_a_new_product_is_found_where_the_answer_says(api_client: AsyncClient) -> None:
    """The answer to a creation has the product, and its address in Location."""
    response = await api_client.post(
        PRODUCTS, json={"sku": "LAMP-1", "name": "Lamp", "price": "12.50"}
    )
    product = check_response(response, 201, ProductSchema)
    found = await api_client.get(response.headers["Location"])
    assert check_response(found, 200, ProductSchema) == product
    assert (product["price"], product["status"], product["version"]) == ("12.50", "draft", 1)


async def test_a_sku_belongs_to_one_product(api_client: AsyncClient) -> None:
    """A second product with the same SKU is a conflict that names it."""
    await create(api_client, "LAMP-1")
    response = await api_client.post(
        PRODUCTS, json={"sku": "LAMP-1", "name": "Other", "price": "1"}
    )
    problem = check_response(response, 409)
    assert problem["type"] == "urn:problem-type:sku-taken"
    assert "LAMP-1" in problem["detail"]


async def test_of_many_equal_creations_one_wins(api_client: AsyncClient) -> None:
    """Creations at the same moment leave one product, and no error but the conflict."""
    body = {"sku": "LAMP-1", "name": "Lamp", "price": "1"}
    responses = await asyncio.gather(*(api_client.post(PRODUCTS, json=body) for _ in range(8)))
    assert sorted(response.status_code for response in responses) == [201] + [409] * 7


async def test_pages_follow_one_another(api_client: AsyncClient) -> None:
    """Every product is on one page, in the order of creation, also while more are added."""
    skus = [(await create(api_client, f"LAMP-{number}"))["sku"] for number in range(5)]
    seen, cursor = [], None
    while True:
        query = {"limit": 2} if cursor is None else {"limit": 2, "cursor": cursor}
        response = await api_client.get(PRODUCTS, params=query)
        seen += [
            product["sku"] for product in check_response(response, 200, ProductSchema, many=True)
        ]
        if len(seen) == 2:
            skus.append((await create(api_client, "LATE"))["sku"])
        cursor = response.json()["page"]["next_cursor"]
        if cursor is None:
            break
    assert seen == skus


async def test_a_list_can_be_of_one_status(api_client: AsyncClient) -> None:
    """The filter leaves out every other status."""
    await create(api_client, "LAMP-1")
    await create(api_client, "LAMP-2", status="active")
    response = await api_client.get(PRODUCTS, params={"status": "active"})
    products = check_response(response, 200, ProductSchema, many=True)
    assert [product["sku"] for product in products] == ["LAMP-2"]


@pytest.mark.parametrize("cursor", ["x", "AAAA", "é", "A" * 32, "A" * 101])
async def test_a_made_up_cursor_is_refused(api_client: AsyncClient, cursor: str) -> None:
    """A cursor that the service did not give out is the client's mistake."""
    problem = check_response(await api_client.get(PRODUCTS, params={"cursor": cursor}), 422)
    assert problem["errors"][0]["location"] == "query.cursor"


async def test_a_change_makes_the_next_version(api_client: AsyncClient) -> None:
    """A change touches what was sent, and the version."""
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
    found = check_response(await api_client.get(address), 200, ProductSchema)
    assert found["price"] == "2.00"


async def test_of_many_equal_changes_one_wins(api_client: AsyncClient) -> None:
    """Changes at the same moment to the same version leave one, and no error but the conflict."""
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
    """Deleting answers with nothing, once; then there is no such product."""
    product = await create(api_client, "LAMP-1")
    address = f"{PRODUCTS}/{product['id']}"
    response = await api_client.delete(address)
    check_response(response, 204)
    assert "Content-Type" not in response.headers
    check_response(await api_client.get(address), 404)
    check_response(await api_client.delete(address), 404)


async def test_what_does_not_exist_is_not_found(api_client: AsyncClient) -> None:
    """Asking for, or changing, an unknown product is a problem that says so."""
    assert "There is no product" in check_response(await api_client.get(UNKNOWN), 404)["detail"]
    response = await api_client.patch(UNKNOWN, json={"version": 1, "name": "Lamp"})
    assert check_response(response, 404)["type"] == "urn:problem-type:product-not-found"
