"""No failure discloses a secret to clients or in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.faults.hostile.conftest import PLANTED, check_output
from tests.faults.load import PRODUCTS
from tests.faults.replica import START_TIMEOUT, Replica, TerminalReplica
from tests.support.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

AWAY = f"postgresql://planted-owner:planted-password@127.0.0.1:{free_port()}/orders"
TOKEN = "planted-token"  # noqa: S105 - it is only looked for
SURROUNDINGS = {
    "DATABASE_URL": AWAY,
    "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
    "ORDERS_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "LOG_LEVEL": "debug",
}


@pytest.mark.parametrize("kind", [Replica, TerminalReplica])
@pytest.mark.parametrize("migrate", ["true", "false"])
async def test_a_service_without_its_servers_discloses_no_secret(
    service: Path, tmp_path: Path, migrate: str, kind: type[Replica]
) -> None:
    """Without database and broker, at log level debug: in a failed start, and in responses."""
    settings = SURROUNDINGS | PLANTED | {"ORDERS_MIGRATE_ON_START": migrate}
    if kind is TerminalReplica:
        settings |= {"ORDERS_ENVIRONMENT": "development"}
    replica = kind(service, tmp_path / "service.log", **settings)
    replica.start()
    answers = []
    try:
        if migrate == "true":
            assert replica.process
            assert replica.process.wait(START_TIMEOUT) != 0
        else:
            await replica.until_ready("live")
            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with httpx.AsyncClient(
                base_url=replica.url, timeout=60, headers=headers
            ) as client:
                answers = [await client.get(path) for path in (PRODUCTS, "/healthcheck/ready")]
            assert [answer.status_code for answer in answers] == [503, 503]
            assert await replica.terminate() == 0
    finally:
        replica.kill()
    secrets = ["planted-owner:", "planted-password", TOKEN, *PLANTED.values()]
    check_output(replica.output, secrets, terminal=kind is TerminalReplica)
    for answer in answers:
        assert "planted-" not in answer.text
