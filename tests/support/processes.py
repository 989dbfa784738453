"""Run a service's commands as its developers do, and find processes left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import psutil

from tests.support.environment import environment
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARK = "STARTED_BY_TEST"
"""A variable that all descendants inherit, also those that leave the process group."""


def make(service: Path, target: str, *variables: str, timeout: float = 600) -> str:
    """Run a target of the service's Makefile and return its output.

    It must succeed without leaving a process behind.
    """
    mark = uuid4().hex
    done = subprocess.run(
        ["make", target, *variables],
        cwd=service,
        env=environment(**{MARK: mark}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    print(done.stdout)
    leftovers = sweep(mark)
    assert done.returncode == 0, f"make {target} failed with {done.returncode}; see its output"
    assert leftovers == []
    return done.stdout


@contextmanager
def serving(service: Path) -> Iterator[httpx.Client]:
    """Run the service on a free port until the end of the block, then stop it with Ctrl-C."""
    mark, port = uuid4().hex, free_port()
    log = service.with_suffix(".log")
    with log.open("w") as output:
        process = subprocess.Popen(
            ["make", "run"],
            cwd=service,
            env=environment(PORT=str(port), **{MARK: mark}),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its own process group, as in a terminal
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_until_it_answers(client, process)
            yield client
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):  # reported below as left behind
            process.wait(timeout=60)
        leftovers = sweep(mark)
        print(log.read_text())
    assert leftovers == []
    assert f":{port}" in log.read_text(), "it does not say where it listens"


def wait_until_it_answers(
    client: httpx.Client, process: subprocess.Popen[bytes], timeout: float = 90
) -> None:
    """Wait for an answer. Fail if the process ends or the time is up."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        assert process.poll() is None, f"make run ended with {process.returncode}; see its output"
        try:
            client.get("/openapi.json")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"no answer in {timeout:.0f} s")


def marked(value: str, variable: str = MARK) -> list[psutil.Process]:
    """Return the running processes whose environment contains this value of a variable."""
    processes = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            alive = process.status() != psutil.STATUS_ZOMBIE
            if alive and process.environ().get(variable) == value:
                processes.append(process)
    return processes


def sweep(mark: str, grace: float = 30) -> list[str]:
    """Wait for marked processes to end, kill the remaining ones, and return their names."""
    deadline = time.monotonic() + grace
    while (processes := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    leftovers = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            leftovers.append(f"{process.pid} {process.name()}")
            process.kill()
    return leftovers
