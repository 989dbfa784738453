"""A Kafka broker for development and tests: librdkafka's mock cluster.

It speaks the real protocol and lives in this process, in memory: nothing is kept.
"""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

from development.backing import Backing, BackingError

CHECK_TIMEOUT = 5.0
ADDRESS = Path(".cache/kafka-bootstrap-servers")
"""The file with the address of `make run`'s mock cluster, for other make targets."""


@contextlib.contextmanager
def mock_kafka(brokers: int = 1) -> Iterator[str]:
    """Run a mock cluster and return its bootstrap servers.

    Raises:
        BackingError: it cannot start.
    """
    from development.kafka import mock  # noqa: PLC0415 - not needed where there is a broker

    with contextlib.ExitStack() as stack:
        try:
            servers = stack.enter_context(mock.cluster(brokers))
        except (mock.MockError, OSError) as error:
            raise BackingError(
                f"The mock Kafka broker cannot start: {error}. "
                "Try again, or set KAFKA_BOOTSTRAP_SERVERS to a broker of your own."
            ) from error
        yield servers


@contextlib.contextmanager
def announced_kafka() -> Iterator[str]:
    """Run a mock cluster like `mock_kafka`, and write its address to a file."""
    with mock_kafka() as servers:
        ADDRESS.parent.mkdir(exist_ok=True)
        ADDRESS.write_text(servers)
        try:
            yield servers
        finally:
            ADDRESS.unlink(missing_ok=True)


def check(bootstrap_servers: str) -> None:
    """Check that a broker answers at one of the addresses.

    Raises:
        BackingError: no broker answers.
    """
    for server in bootstrap_servers.split(","):
        host, _, port = server.strip().rpartition(":")
        with contextlib.suppress(OSError, ValueError):
            socket.create_connection((host.strip("[]"), int(port)), CHECK_TIMEOUT).close()
            return
    raise BackingError(
        f"No Kafka broker answers at {bootstrap_servers}: start it, correct "
        "KAFKA_BOOTSTRAP_SERVERS, or unset it to get a mock broker."
    )


BACKING = Backing("Kafka", "KAFKA_BOOTSTRAP_SERVERS", announced_kafka, check)
