"""The served process reports why it cannot start, and stops without failing requests."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from httpx import AsyncClient, ConnectError

from orders.internal.database.migrate import MIGRATION_LOCK
from orders.internal.http.server import PortTakenError, listen

from .helpers import NOWHERE
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds after which a process counts as hanging, on a busy machine."""

CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"


def environment(**variables: str) -> dict[str, str]:
    """Return an environment for a served process."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")
    }
    return {**inherited, "ORDERS_SHUTDOWN_DELAY": "0.5", **variables}


async def start(**variables: str) -> Process:
    """Start `python -m orders`."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orders"),
        cwd=ROOT,
        env=environment(**variables),
        stdout=PIPE,
        stderr=PIPE,
    )


@asynccontextmanager
async def running(database: str, **variables: str) -> AsyncIterator[tuple[Process, AsyncClient]]:
    """Serve on a free port; yield the process and a client once it answers."""
    port = free_port()
    process = await start(DATABASE_URL=database, PORT=str(port), **variables)
    url = f"http://127.0.0.1:{port}"
    async with AsyncClient(base_url=url, timeout=PATIENCE) as client:
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    try:
                        await client.get("/healthcheck/live")
                    except ConnectError:
                        await asyncio.sleep(0.05)
                    else:
                        break
            yield process, client
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def test_a_port_in_use_is_reported_in_one_line(migrated_postgres: str) -> None:
    """The line has the port, and another one to try."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        process = await start(DATABASE_URL=str(migrated_postgres), PORT=str(port))
        _, errors = await process.communicate()
    assert process.returncode == 1
    [line] = errors.decode().splitlines()
    assert f"127.0.0.1:{port}" in line
    assert f"PORT={port % 65535 + 1}" in line


@pytest.mark.parametrize("host", ["x86_64-conda-linux-gnu", "192.0.2.1", "a..b", "\x00"])
def test_an_invalid_host_is_reported(host: str) -> None:
    """Conda and tcsh set HOST to the machine's name. The message does not suggest another port."""
    with pytest.raises(PortTakenError, match=r"HOST=127\.0\.0\.1") as refusal:
        listen(host, 28123)
    assert "PORT=" not in str(refusal.value)


async def test_bad_settings_are_reported_without_a_traceback() -> None:
    """The process ends with an error before it listens."""
    process = await start(DATABASE_URL="mysql://u:planted-password@h/d", PORT="x")
    output, errors = await process.communicate()
    assert process.returncode == 1
    assert b"Traceback" not in errors
    assert b"planted-password" not in output + errors
    assert len(errors.decode().splitlines()) == 3


async def test_an_unavailable_database_at_the_start_is_reported_in_one_line() -> None:
    """A service that migrates first says what it needs, without a traceback."""
    process = await start(DATABASE_URL=NOWHERE, PORT="0", ORDERS_MIGRATE_ON_START="true")
    output, errors = await process.communicate()
    assert process.returncode != 0
    [reason] = [line for line in output.decode().splitlines() if "cannot be used" in line]
    assert "Start its server, or correct its URL." in reason
    for secret in (b"Traceback", b"planted-password"):
        assert secret not in output + errors


async def test_sigterm_fails_readiness_first_and_finishes_requests(
    migrated_postgres: str,
) -> None:
    """Load balancers see 503 while the service still answers. Then it exits with 0."""
    async with running(str(migrated_postgres), ORDERS_SHUTDOWN_DELAY="5") as (process, client):
        assert (await client.get("/healthcheck/ready")).status_code == 200
        process.send_signal(signal.SIGTERM)
        ready = 200
        while ready == 200:
            ready = (await client.get("/healthcheck/ready")).status_code
        assert ready == 503
        assert (await client.get("/healthcheck/live")).status_code == 200
        assert (await client.get("/api/v1/products")).status_code == 200
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0


async def test_sigint_stops_at_once(migrated_postgres: str) -> None:
    """Ctrl-C does not wait for load balancers."""
    async with running(str(migrated_postgres), ORDERS_SHUTDOWN_DELAY="60") as (process, _):
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE / 2):
            assert await process.wait() == 0


async def test_a_start_can_be_interrupted(postgres: str) -> None:
    """A replica that waits for another one's migration stops on a signal."""
    connection = await asyncpg.connect(str(postgres))
    await connection.execute(f"SELECT pg_advisory_lock({MIGRATION_LOCK})")
    process = await start(
        DATABASE_URL=str(postgres), PORT=str(free_port()), ORDERS_MIGRATE_ON_START="true"
    )
    async with asyncio.timeout(PATIENCE):
        while await connection.fetchval(CONNECTIONS) < 2:  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    await process.communicate()
    await connection.close()


async def test_replicas_that_start_together_migrate_once(postgres: str) -> None:
    """Of four processes on an empty database, all become ready and none fails."""
    ports = [free_port() for _ in range(4)]
    processes = [
        await start(DATABASE_URL=str(postgres), PORT=str(port), ORDERS_MIGRATE_ON_START="true")
        for port in ports
    ]
    try:
        async with AsyncClient(timeout=PATIENCE) as client, asyncio.timeout(PATIENCE):
            for port in ports:
                while not await ready(client, port):  # noqa: ASYNC110 - another process's state
                    await asyncio.sleep(0.1)
        assert [process.returncode for process in processes] == [None] * 4
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def ready(client: AsyncClient, port: int) -> bool:
    """Return whether the service on this port is ready."""
    try:
        response = await client.get(f"http://127.0.0.1:{port}/healthcheck/ready")
    except ConnectError:
        return False
    return response.status_code == 200
