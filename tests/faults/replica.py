"""The service as a separate process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal
import subprocess
from threading import Thread
from typing import TYPE_CHECKING, Self

import httpx

from tests.support.environment import environment
from tests.support.ports import free_port, is_free

if TYPE_CHECKING:
    from pathlib import Path

START_TIMEOUT = 180.0  # the first start compiles every module, and the machine may be busy
STOP_TIMEOUT = 60.0
PRINT_TIMEOUT = 60.0

SETTINGS = {
    "ORDERS_ENVIRONMENT": "production",
    "ORDERS_SECRET_KEY": "planted-secret-key-of-more-than-32-characters",
    "ORDERS_MIGRATE_ON_START": "true",
    "ORDERS_DATABASE_POOL_SIZE": "10",
    "ORDERS_DATABASE_POOL_TIMEOUT": "1",
    "ORDERS_DATABASE_CONNECT_TIMEOUT": "1",
    "ORDERS_DATABASE_STATEMENT_TIMEOUT": "2",
    "ORDERS_DATABASE_LOCK_TIMEOUT": "2",
    "ORDERS_SHUTDOWN_DELAY": "1",
    "ORDERS_SHUTDOWN_TIMEOUT": "10",
}
"""A production service with short timeouts, so that tests need not wait long."""


class Replica:
    """A process of the service that tests can kill and restart on its port."""

    def __init__(self, service: Path, log: Path, **settings: str) -> None:
        """Run a service with these settings beside `SETTINGS`, its output in a log."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._service = service
        self._log = log
        self._settings = SETTINGS | settings
        self.process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        """Start, and return when it is ready."""
        self.start()
        await self.until_ready()
        return self

    async def __aexit__(self, *error: object) -> None:
        """Stop, and show the log of a failed test."""
        self.kill()
        if error[0]:
            print(self.output[-20000:])

    @property
    def output(self) -> str:
        """The output so far."""
        return self._log.read_text()

    def start(self) -> None:
        """Start the process."""
        with self._log.open("ab") as log:
            self._start(log.fileno())

    def _start(self, output: int) -> None:
        self.process = subprocess.Popen(
            [self._service / ".venv/bin/python", "-m", "orders"],
            cwd=self._service,
            env=environment(PORT=str(self.port), **self._settings),
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    async def until_ready(self, probe: str = "ready") -> None:
        """Wait for a probe, and fail with the output if the process ends."""
        async with asyncio.timeout(START_TIMEOUT), httpx.AsyncClient() as client:
            while not await self.is_ready(client, probe):
                assert self.process
                assert self.process.poll() is None, self.output[-20000:]
                await asyncio.sleep(0.05)

    async def until_deaf(self) -> None:
        """Wait until its port is closed."""
        async with asyncio.timeout(STOP_TIMEOUT):
            while not is_free(self.port):  # noqa: ASYNC110 - another process's state
                await asyncio.sleep(0.05)

    async def until_printed(self, words: str) -> None:
        """Wait for words in the output, which may follow the response."""
        async with asyncio.timeout(PRINT_TIMEOUT):
            while words not in self.output:  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.05)

    async def is_ready(self, client: httpx.AsyncClient, probe: str = "ready") -> bool:
        """Return whether the service is ready, or alive."""
        try:
            response = await client.get(f"{self.url}/healthcheck/{probe}")
        except httpx.TransportError:
            return False
        return response.is_success

    def kill(self) -> None:
        """Kill the process."""
        if self.process:
            self.process.kill()
            self.process.wait()

    async def terminate(self) -> int:
        """Send SIGTERM, and return the exit code."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, STOP_TIMEOUT)


class TerminalReplica(Replica):
    """A replica that prints to a terminal, as on a developer's machine. The log is a copy."""

    def start(self) -> None:
        """Start the process."""
        output, terminal = pty.openpty()
        self._start(terminal)
        os.close(terminal)
        Thread(target=self._copy, args=(output,)).start()

    def _copy(self, output: int) -> None:
        with (
            # Linux raises EIO when the last process on the terminal has ended.
            contextlib.suppress(OSError),
            self._log.open("ab", buffering=0) as log,
            open(output, "rb", buffering=0) as terminal,
        ):
            while text := terminal.read(65536):
                log.write(text)
