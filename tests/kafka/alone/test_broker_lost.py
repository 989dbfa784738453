"""Without a database, HTTP works during an outage of the broker, and events work after it."""

import asyncio

import httpx

from tests.kafka.broker import Broker
from tests.kafka.replica import Replicas

PATIENCE = 60.0
LAMP = {"name": "Lamp", "price": "1"}


async def until(client: httpx.AsyncClient, status: int, method: str, url: str, **body: str) -> None:
    """Repeat a request until it has this status."""
    response = None
    async with asyncio.timeout(PATIENCE):
        while response is None or response.status_code != status:
            response = await client.request(method, url, json={**LAMP, **body} if body else None)
            await asyncio.sleep(0.1)


async def until_degraded(client: httpx.AsyncClient, url: str, *, expected: bool) -> None:
    """Wait until readiness reports Kafka as degraded or not; the service is ready throughout."""
    degraded = not expected
    async with asyncio.timeout(PATIENCE):
        while degraded != expected:
            response = await client.get(url)
            assert response.status_code == 200, response.text
            degraded = "kafka" in response.json()["data"]["degraded"]
            await asyncio.sleep(0.1)


async def test_the_service_recovers_from_an_outage_of_the_broker(
    replicas: Replicas, broker: Broker
) -> None:
    """Reads succeed, writes are 503 with Retry-After, and readiness reports the outage."""
    base = f"http://127.0.0.1:{await replicas.start()}"
    products, ready = f"{base}/api/v1/products", f"{base}/healthcheck/ready"
    client = replicas.client
    await until(client, 201, "POST", products, sku="FIRST")
    await until_degraded(client, ready, expected=False)
    async with broker.away():
        await until_degraded(client, ready, expected=True)
        refused = await client.post(products, json={**LAMP, "sku": "SECOND"}, timeout=PATIENCE)
        assert refused.status_code == 503, refused.text
        assert refused.headers["content-type"] == "application/problem+json"
        assert int(refused.headers["retry-after"]) > 0
        assert (await client.get(products)).status_code == 200
        assert (await client.get(f"{base}/healthcheck/live")).status_code == 200
    await until_degraded(client, ready, expected=False)
    await until(client, 201, "POST", products, sku="THIRD")


async def test_a_service_starts_before_its_broker(replicas: Replicas, broker: Broker) -> None:
    """Without a broker it serves reads. It publishes once there is a broker."""
    async with broker.away():
        base = f"http://127.0.0.1:{await replicas.start()}"
        products, ready = f"{base}/api/v1/products", f"{base}/healthcheck/ready"
        client = replicas.client
        await until_degraded(client, ready, expected=True)
        assert (await client.get(products)).status_code == 200
    await until_degraded(client, ready, expected=False)
    await until(client, 201, "POST", products, sku="FIRST")
