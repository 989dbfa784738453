"""What every client of the cluster is told."""

import asyncio
import ssl
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from .settings_base import ConnectionSettings

GRACE = 1.0
"""Seconds that a client has to come up when nobody wants it any more: half-way it leaks sockets."""


async def start_client(
    client: AIOKafkaProducer | AIOKafkaConsumer,
    timeout: float | None = None,  # noqa: ASYNC109
) -> None:
    """Start a client; close it afterwards, whether that went well or not.

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
        # A topic that is made later, and a new leader, are noticed this soon.
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
    """Return what brokers are checked against, and what the service shows of itself."""
    context = ssl.create_default_context(cafile=settings.kafka_ssl_ca_file)
    if settings.kafka_ssl_certificate_file:
        context.load_cert_chain(settings.kafka_ssl_certificate_file, settings.kafka_ssl_key_file)
    return context
