"""Running a service's commands as its developer would, and finding what they leave behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import psutil

from tests.rendering import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "STARTED_BY_TEST"
"""A variable that every descendant inherits, also one that leaves its process group."""

OURS = ("COV_", "NOX_", "PYTEST_", "PYTHON", "UV_RUN_")
OURS_TOO = {"UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "VIRTUAL_ENV"}
RUN = ("NOX_CURRENT_SESSION", "PYTEST_XDIST_WORKER")
TYPES = ROOT / ".nox/mypy" / "-".join(os.environ.get(name, "alone") for name in RUN)
"""Where mypy keeps what it read of packages that services share: one place for each worker."""

SETTINGS = {"HOST", "PORT", "DATABASE_URL", "TEST_DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"}


def environment(**more: str) -> dict[str, str]:
    """The user's environment, without what belongs to these tests or would set up a service.

    The tests' own programs leave the path, too, or they would stand in for one that is missing.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(OURS) and name not in OURS_TOO | SETTINGS
    }
    folders = inherited["PATH"].split(os.pathsep)
    others = [one for one in folders if not Path(one).resolve().is_relative_to(ROOT)]
    ours = {"PATH": os.pathsep.join(others), "MYPY_CACHE_DIR": str(TYPES)}
    return inherited | ours | more


def make(service: Path, target: str, *variables: str, timeout: float = 600) -> str:
    """Run a target of the service's Makefile, and return what it prints.

    It must succeed without leaving a process.
    """
    mark = uuid4().hex
    ended = subprocess.run(
        ["make", target, *variables],
        cwd=service,
        env=environment(**{MARK: mark}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    print(ended.stdout)
    left = sweep(mark)
    assert ended.returncode == 0, f"make {target} failed with {ended.returncode}; see its output"
    assert left == []
    return ended.stdout


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
            start_new_session=True,  # a process group of its own, as a terminal gives it
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_until_it_answers(client, process)
            yield client
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):  # then it is among those left behind
            process.wait(timeout=30)
        left = sweep(mark)
        print(log.read_text())
    assert left == []
    assert f":{port}" in log.read_text(), "it does not say where it listens"


def wait_until_it_answers(
    client: httpx.Client, process: subprocess.Popen[bytes], timeout: float = 90
) -> None:
    """Ask until there is an answer; fail as soon as the process ends, or when time is up."""
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


def sweep(mark: str, grace: float = 5) -> list[str]:
    """End what still carries a mark after a moment's grace, and say what it was."""
    deadline = time.monotonic() + grace
    while (found := list(_marked(mark))) and time.monotonic() < deadline:
        time.sleep(0.1)
    left = []
    for one in found:
        with suppress(psutil.NoSuchProcess):
            left.append(f"{one.pid} {one.name()}")
            one.kill()
    return left


def _marked(mark: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            if alive and process.environ().get(MARK) == mark:
                yield process
        except psutil.Error:
            continue


def free_port() -> int:
    """Find a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
