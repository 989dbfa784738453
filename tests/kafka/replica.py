"""Replicas of the service, as processes that tests can kill."""

# ruff: noqa: S603 - commands are lists, and are looked up on the developer's own PATH

import asyncio
import os
import subprocess
import sys
from typing import Self

import httpx

from tests.support.ports import free_port

PATIENCE = 60.0


class Replicas:
    """Starts, kills and stops replicas on one database and one broker."""

    def __init__(self, database: str | None, brokers: str, namespace: str) -> None:
        self._environment = {
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": brokers,
            "ORDERS_KAFKA_NAMESPACE": namespace,
            "ORDERS_KAFKA_SESSION_TIMEOUT": "2",
            "ORDERS_SHUTDOWN_DELAY": "0",
            "ORDERS_LOG_LEVEL": "warning",
            **({"DATABASE_URL": database} if database else {}),
        }
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.client = httpx.AsyncClient(timeout=PATIENCE)

    async def __aenter__(self) -> Self:
        """Nothing runs yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop all replicas."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        await self.client.aclose()

    @property
    def ports(self) -> list[int]:
        """The URL of a replica."""
        return list(self._processes)

    async def start(self, port: int | None = None) -> int:
        """Start a replica, and return its port once it answers."""
        port = port or free_port()
        environment = {**self._environment, "PORT": str(port)}
        command = [sys.executable, "-m", "orders"]
        self._processes[port] = subprocess.Popen(command, env=environment)  # noqa: ASYNC220
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await self.client.get(f"http://127.0.0.1:{port}/healthcheck/live")
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
                else:
                    return port

    async def is_ready(self, port: int) -> bool:
        """Return whether a replica is ready."""
        answer = await self.client.get(f"http://127.0.0.1:{port}/healthcheck/ready")
        return answer.is_success

    async def degraded(self, port: int) -> list[str]:
        """Return the degraded probes of a ready replica; none if it is not ready."""
        answer = await self.client.get(f"http://127.0.0.1:{port}/healthcheck/ready")
        names: list[str] = answer.json()["data"]["degraded"] if answer.is_success else []
        return names

    def kill(self, port: int) -> None:
        """Kill a replica."""
        process = self._processes.pop(port)
        process.kill()
        process.wait()

    async def stop(self, port: int) -> None:
        """Send SIGTERM to a replica, and wait for its end."""
        process = self._processes.pop(port)
        process.terminate()
        await asyncio.to_thread(process.wait, PATIENCE)
