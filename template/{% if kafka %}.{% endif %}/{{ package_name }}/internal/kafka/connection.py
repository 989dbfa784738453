"""Clients of Kafka: their options, their start, and what aiokafka keeps private."""

import asyncio
import ssl
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner

from .background import cancel
from .settings import ConnectionSettings

GRACE = 1.0
"""Seconds that a cancelled start may still take: a client that is cut short leaks sockets."""


async def start_client(
    client: AIOKafkaProducer | AIOKafkaConsumer,
    timeout: float | None = None,  # noqa: ASYNC109
) -> None:
    """Start a client. The caller closes it afterwards, also when this fails.

    Raises:
        TimeoutError: it is not up in time.
    """
    starting = asyncio.ensure_future(client.start())
    try:
        await asyncio.wait((starting,), timeout=timeout)
        if not starting.done():
            raise TimeoutError("no broker answers in time")
        starting.result()
    finally:
        if not starting.done():
            await asyncio.wait((starting,), timeout=GRACE)
            starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)


def client_options(settings: ConnectionSettings) -> dict[str, Any]:
    """Return the options that producers and consumers of aiokafka share.

    Raises:
        OSError: a certificate cannot be read.
    """
    protocol = settings.kafka_security_protocol
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "request_timeout_ms": round(settings.kafka_request_timeout * 1000),
        "security_protocol": protocol,
        # Clients notice new topics and new leaders this soon.
        "metadata_max_age_ms": 30_000,
    }
    if "SSL" in protocol:
        options["ssl_context"] = ssl_context(settings)
    if "SASL" in protocol:
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": settings.kafka_sasl_password.get_secret_value(),
        }
    return options


def ssl_context(settings: ConnectionSettings) -> ssl.SSLContext:
    """Return the certificates that brokers are checked against, and the service's own."""
    context = ssl.create_default_context(cafile=settings.kafka_ssl_ca_file)
    if settings.kafka_ssl_certificate_file:
        context.load_cert_chain(settings.kafka_ssl_certificate_file, settings.kafka_ssl_key_file)
    return context


# aiokafka has no public interface for these functions, so pyproject.toml caps its version.

partition_of = DefaultPartitioner()
"""Returns the partition of a key: called with the key, all partitions, and those to choose from."""


async def refresh_metadata(producer: AIOKafkaProducer) -> bool:
    """Ask a broker for the cluster's metadata; return whether one answers."""
    return bool(await producer.client.force_metadata_update())


async def close_connections(producer: AIOKafkaProducer) -> None:
    """Close the connections of a producer that cannot stop: it waits for what it cannot send."""
    await producer.client.close()


async def abandon_join(consumer: AIOKafkaConsumer) -> None:
    """Stop waiting for a place in the group: `stop` would wait for it first, in order to leave."""
    joining = getattr(consumer._coordinator, "_coordination_task", None)  # noqa: SLF001
    if joining:
        await cancel(joining)
