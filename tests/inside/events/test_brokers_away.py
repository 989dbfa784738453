"""An outage of Kafka, which all replicas share, removes none of them from the load balancer."""

from ..helpers import serve_on
from tests.harness import check_response

AWAY = "127.0.0.1:1"
"""Brokers at port 1, which refuses every connection."""


async def test_every_replica_stays_ready_and_accepts_writes(migrated_postgres: str) -> None:
    """Readiness reports the degraded probe, and the outbox keeps the events."""
    options = {"kafka_bootstrap_servers": AWAY, "kafka_request_timeout": 0.5}
    for sku in ("FIRST", "SECOND"):
        async with serve_on(str(migrated_postgres), **options) as (_, client):
            answer = check_response(await client.get("/healthcheck/ready"), 200)
            assert answer["status"] == "degraded"
            assert {"kafka", "consumers"} <= set(answer["degraded"])
            product = {"sku": sku, "name": "Lamp", "price": "1"}
            check_response(await client.post("/api/v1/products", json=product), 201)


async def test_a_service_can_require_kafka(migrated_postgres: str) -> None:
    """With a setting, a Kafka outage makes the service not ready."""
    options = {"kafka_bootstrap_servers": AWAY, "healthcheck_required": "kafka"}
    async with serve_on(str(migrated_postgres), **options) as (_, client):
        problem = check_response(await client.get("/healthcheck/ready"), 503)
    assert problem["detail"] == "Not ready: kafka."
