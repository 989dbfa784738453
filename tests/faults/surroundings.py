"""A service's servers, as processes that tests can kill, stop and fill up."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import psutil

from tests.support.environment import environment
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BROKER = """
import sys
from development.kafka import mock_kafka
with mock_kafka() as servers:
    print(servers, flush=True)
    sys.stdin.read()
"""
STOP_TIMEOUT = 60.0


class Postgres:
    """The service's embedded PostgreSQL on one port, with its data in a folder that outlives it."""

    def __init__(self, service: Path, folder: Path) -> None:
        """Run the programs in a service's environment on a folder's data."""
        self.port = free_port()
        self.url = ""
        self._service = service
        self._folder = folder
        self._runner: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._end_runner()

    def start(self) -> None:
        """Start the server, and return when it accepts connections."""
        self._runner = subprocess.Popen(
            [
                *(self._service / ".venv/bin/python", "-m", "development.postgres"),
                *(str(self.port), "--folder", self._folder),
            ],
            cwd=self._service,
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._runner.stdout
        line = self._runner.stdout.readline()
        assert "listens on" in line, (self._folder / "server.log").read_text()[-2000:]
        self.url = line.split()[-1]

    @property
    def is_running(self) -> bool:
        """Whether the server is running."""
        return psutil.pid_exists(self._main_process())

    def kill(self) -> None:
        """End all of its processes at once, as a power cut does."""
        for process in self._processes():
            process.kill()
        self._end_runner()

    def freeze(self) -> None:
        """Stop all of its processes with SIGSTOP."""
        for process in self._processes():
            process.suspend()

    def thaw(self) -> None:
        """Continue its processes."""
        for process in self._processes():
            process.resume()

    def restart_if_down(self) -> None:
        """Start it again after it has ended by itself."""
        if not self.is_running:
            self._end_runner()
            self.start()

    def _processes(self) -> list[psutil.Process]:
        main = psutil.Process(self._main_process())
        return [main, *main.children(recursive=True)]

    def _main_process(self) -> int:
        return int((self._folder / "data/postmaster.pid").read_text().split()[0])

    def _end_runner(self) -> None:
        if self._runner:
            self._runner.send_signal(signal.SIGINT)
            self._runner.communicate(timeout=STOP_TIMEOUT)
            self._runner = None


@contextlib.contextmanager
def kafka(service: Path) -> Iterator[str]:
    """Yield the brokers of `KAFKA_BOOTSTRAP_SERVERS`, or those of a mock."""
    if address := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield address
        return
    command = [str(service / ".venv/bin/python"), "-c", BROKER]
    with subprocess.Popen(
        command,
        cwd=service,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        assert process.stdin
        process.stdin.close()


def with_port(url: str, port: int) -> str:
    """Return the URL with another port."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{port}")).geturl()
