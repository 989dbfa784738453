"""The service publishes events of its products, and counts the products by status."""

from collections import Counter

from aiokafka import ConsumerRecord
from httpx import AsyncClient

from .test_products import PRODUCTS, create
from tests.harness.kafka.messages import Messages, eventually


async def counts(client: AsyncClient) -> dict[str, int]:
    """Return the statistics as the service shows them."""
    response = await client.get("/api/v1/product-statistics")
    found: dict[str, int] = response.json()["data"]["counts"]
    return found


def headers(message: ConsumerRecord) -> dict[str, str]:
    """Return a message's headers as text."""
    return {name: value.decode() for name, value in message.headers}


async def test_each_change_is_published_in_order(
    api_client: AsyncClient, messages: Messages
) -> None:
    """Creating, changing and deleting a product are events with its id as their key."""
    product = await create(api_client, "LAMP-1")
    address = f"{PRODUCTS}/{product['id']}"
    await api_client.patch(address, json={"version": 1, "status": "active"})
    await api_client.delete(address)
    received = await messages.read("products", 3)
    assert [headers(message)["ce_type"] for message in received] == [
        "product.created",
        "product.changed",
        "product.deleted",
    ]
    assert {message.key.decode() for message in received} == {product["id"]}
    assert len({headers(message)["ce_id"] for message in received}) == 3


async def test_an_event_is_a_cloud_event(api_client: AsyncClient, messages: Messages) -> None:
    """A message has the attributes of CloudEvents 1.0, and continues the request's trace."""
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    body = {"sku": "LAMP-1", "name": "Lamp", "price": "1"}
    await api_client.post(PRODUCTS, json=body, headers={"traceparent": trace})
    (message,) = await messages.read("products", 1)
    found = headers(message)
    assert (found["ce_specversion"], found["ce_typeversion"]) == ("1.0", "1")
    assert found["content-type"] == "application/json"
    assert found["ce_traceparent"] == trace
    assert {"ce_id", "ce_source", "ce_time", "ce_partitionkey"} <= found.keys()


async def test_a_change_without_effect_is_not_published(
    api_client: AsyncClient, messages: Messages
) -> None:
    """A change to equal values keeps the version, and publishes no event."""
    product = await create(api_client, "LAMP-1")
    address = f"{PRODUCTS}/{product['id']}"
    same = await api_client.patch(address, json={"version": 1, "name": product["name"]})
    assert same.json()["data"] == product
    await api_client.delete(address)
    received = await messages.read("products", 2)
    assert [headers(message)["ce_type"] for message in received] == [
        "product.created",
        "product.deleted",
    ]


async def test_a_refused_change_is_not_published(
    api_client: AsyncClient, messages: Messages
) -> None:
    """A change that fails publishes no event."""
    product = await create(api_client, "LAMP-1")
    body = {"sku": "LAMP-1", "name": "Lamp", "price": "1"}
    assert (await api_client.post(PRODUCTS, json=body)).status_code == 409
    address = f"{PRODUCTS}/{product['id']}"
    assert (await api_client.patch(address, json={"version": 9, "name": "L"})).status_code == 409
    await create(api_client, "LAST")
    received = await messages.read("products", 2)
    assert Counter(headers(message)["ce_type"] for message in received) == {"product.created": 2}


async def test_products_are_counted_by_status(api_client: AsyncClient) -> None:
    """The counts follow the events a moment later."""
    first = await create(api_client, "LAMP-1")
    await create(api_client, "LAMP-2")
    last = await create(api_client, "LAMP-3", status="active")
    await api_client.patch(f"{PRODUCTS}/{first['id']}", json={"version": 1, "status": "retired"})
    await api_client.delete(f"{PRODUCTS}/{last['id']}")
    await eventually(lambda: counts(api_client), {"draft": 1, "active": 0, "retired": 1})


async def test_a_repeated_event_counts_once(api_client: AsyncClient, messages: Messages) -> None:
    """A second delivery of the same event has no effect."""
    await create(api_client, "LAMP-1")
    (message,) = await messages.read("products", 1)
    await messages.send("products", message.value, message.key, **headers(message))
    await create(api_client, "LAMP-2")
    await eventually(lambda: counts(api_client), {"draft": 2, "active": 0, "retired": 0})


async def test_an_invalid_event_becomes_a_dead_letter(
    api_client: AsyncClient, messages: Messages
) -> None:
    """An unreadable message is set aside with its reason, and the next ones are handled."""
    await messages.send("products", b"{", b"key", ce_type="product.created", ce_id="1")
    (letter,) = await messages.read("products.dead-letters", 1)
    found = headers(letter)
    assert (letter.value, letter.key, found["ce_id"]) == (b"{", b"key", "1")
    assert found["dead_letter_topic"].endswith("products")
    assert "product.created" in found["dead_letter_error"]
    assert {"dead_letter_stack_digest", "dead_letter_partition", "dead_letter_offset"} <= set(found)
    await create(api_client, "LAMP-1")
    await eventually(lambda: counts(api_client), {"draft": 1, "active": 0, "retired": 0})
