"""One service for all of these tests, and a check of its log at the end."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.faults.replica import SETTINGS, Replica
from tests.faults.surroundings import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

PLANTED = {
    "ORDERS_SECRET_KEY": SETTINGS["ORDERS_SECRET_KEY"],
    "ORDERS_KAFKA_SASL_USERNAME": "planted-user",
    "ORDERS_KAFKA_SASL_PASSWORD": "planted-sasl-password",
}
"""Secrets that logs and responses must not contain."""

SETTINGS_HERE = {
    "ORDERS_REQUEST_TIMEOUT": "2",
    "ORDERS_KEEP_ALIVE_TIMEOUT": "4",
    "ORDERS_MAX_BODY_SIZE": "100000",
}


@pytest.fixture(scope="session", name="target")
def _target(
    service: Path, brokers: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replica]:
    """A running service, which has to have kept its secrets, its form and its head at the end.

    The database lies outside pytest's folder, which every other run of pytest closes to the
    account that a database has when root starts it.
    """
    folder = tmp_path_factory.mktemp("hostile")
    with (
        TemporaryDirectory(prefix="hostile-") as data,
        Postgres(service, Path(data) / "postgres") as database,
    ):
        settings = {"DATABASE_URL": database.url, "KAFKA_BOOTSTRAP_SERVERS": brokers}
        replica = Replica(service, folder / "service.log", **settings, **PLANTED, **SETTINGS_HERE)
        replica.start()
        try:
            asyncio.run(replica.until_ready())
            yield replica
            asyncio.run(replica.until_ready())
        finally:
            replica.kill()
        check_output(replica.output, [urlsplit(database.url).password or "", *PLANTED.values()])


def check_output(output: str, secrets: list[str], *, terminal: bool = False) -> None:
    """Check that a log shows no secret and no bug, and has a JSON document a line in production."""
    for line in [] if terminal else output.splitlines():
        assert isinstance(json.loads(line), dict), line
    for word in ("Traceback", "unhandled error", *secrets):
        assert word not in output, word
