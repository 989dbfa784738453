"""Behaviour of a real broker that the mock does not have: refusals, security and data loss."""

# ruff: noqa: S603, S607 - commands are lists, and are looked up on the developer's own PATH

from __future__ import annotations

import asyncio
import subprocess
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from orders.internal.kafka.cloud_events import Record
from orders.internal.kafka.errors import BrokersUnavailable
from orders.internal.kafka.sender import Sender
from orders.internal.kafka.settings import KafkaSettings

from tests.kafka.broker import Broker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "password-of-tests"
JAAS = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    f'username="service" password="{PASSWORD}" user_service="{PASSWORD}";'
)


@pytest.fixture(scope="module")
def secure(
    tmp_path_factory: pytest.TempPathFactory, broker: Broker
) -> Iterator[tuple[Broker, Path]]:
    """A broker with SASL over TLS, and its certificate."""
    del broker  # requested so that both exist or neither
    folder = tmp_path_factory.mktemp("secure")
    store, certificate = folder / "broker.p12", folder / "ca.pem"
    secret = ["-keystore", str(store), "-storepass", PASSWORD, "-alias", "broker"]
    more = ["-keyalg", "EC", "-dname", "CN=127.0.0.1", "-ext", "SAN=IP:127.0.0.1"]
    more += ["-ext", "bc:c=ca:true", "-validity", "2", "-storetype", "PKCS12"]
    for command in (["-genkeypair", *more], ["-exportcert", "-rfc", "-file", str(certificate)]):
        subprocess.run(["keytool", *command, *secret], check=True, capture_output=True)
    properties = "\n".join(
        [
            f"ssl.keystore.location={store}",
            f"ssl.keystore.password={PASSWORD}",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={certificate}",
            "sasl.enabled.mechanisms=PLAIN",
            "sasl.mechanism.inter.broker.protocol=PLAIN",
            f"listener.name.sasl_ssl.plain.sasl.jaas.config={JAAS}",
        ]
    )
    secured = Broker(folder / "broker", properties, "SASL_SSL")
    try:
        secured.start()
        yield secured, certificate
    finally:
        secured.kill()


def settings(broker: Broker, certificate: Path | None, password: str) -> KafkaSettings:
    return KafkaSettings(
        kafka_bootstrap_servers=broker.address,
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_username="service",
        kafka_sasl_password=SecretStr(password),
        kafka_ssl_ca_file=certificate,
        kafka_request_timeout=5,
    )


async def test_events_are_sent_with_a_password_over_tls(secure: tuple[Broker, Path]) -> None:
    """The settings for SASL and TLS are enough for a secured broker."""
    async with Sender(settings(*secure, PASSWORD)) as sender:
        await sender.send(Record("secured", b"key", b"{}", []))
        assert "answers" in await sender.check()


@pytest.mark.parametrize("untrusted", ["password", "certificate"])
async def test_an_untrusted_connection_is_refused(
    secure: tuple[Broker, Path], untrusted: str
) -> None:
    """A wrong password and an untrusted certificate prevent a connection."""
    broker, certificate = secure
    password = "wrong" if untrusted == "password" else PASSWORD
    trusted = None if untrusted == "certificate" else certificate
    async with Sender(settings(broker, trusted, password)) as sender:
        with pytest.raises(BrokersUnavailable):
            await sender.send(Record("secured", b"key", b"{}", []))


async def test_stopping_during_an_outage_raises_no_error(
    tmp_path_factory: pytest.TempPathFactory, broker: Broker
) -> None:
    """An event without an acknowledgement ends the wait, and the stop raises nothing."""
    del broker  # requested so that both exist or neither
    own_broker = Broker(tmp_path_factory.mktemp("away"))
    own_broker.start()
    try:
        settings = KafkaSettings(
            kafka_bootstrap_servers=own_broker.address, kafka_request_timeout=2
        )
        async with asyncio.timeout(60), Sender(settings) as sender:
            await sender.send(Record("away", b"key", b"1", []))
            own_broker.kill()
            with pytest.raises(BrokersUnavailable):
                await sender.send(Record("away", b"key", b"2", []))
        assert sender.waiting == 1
    finally:
        own_broker.kill()


async def test_a_restart_keeps_the_log(broker: Broker) -> None:
    """After kill -9, acknowledged events are there, and the connection recovers."""
    here = KafkaSettings(kafka_bootstrap_servers=broker.address, kafka_request_timeout=30)
    async with Sender(here) as sender:
        await sender.send(Record("kept", b"key", b"1", []))
        async with broker.away():
            pending_send = asyncio.create_task(sender.send(Record("kept", b"key", b"2", [])))
        await pending_send
        producer: AIOKafkaProducer = sender.connected()
        metadata = await producer.send_and_wait("kept", b"3", key=b"key")
        assert metadata.offset == 2
