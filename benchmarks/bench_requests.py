"""Measure the example's requests against applications written by hand for the same table.

Requests per second and the 99th percentile of get, list and create, by one process and by two, half
of the connections each; the memory of a process after that; the time to a first answer. All run in
the environment of the image, without the tools of development.

Run it with `uv run --group test python -m benchmarks.bench_requests`; it needs the program wrk.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
import urllib.request
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError

import psutil

from benchmarks.installed import installed_service, run
from benchmarks.measure import Series, claim, figure, in_turn

from tests.support.environment import environment
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 5
SECONDS = 3
CONNECTIONS = 32
POOL_SIZE = "10"
IMAGE = ".image"
"""The folder of the environment, in which a tool would bring packages that others import too."""
CONTESTANTS = Path(__file__).parent / "contestants"
PRODUCTS = "/api/v1/products"
ONE = f"{PRODUCTS}/01900000-0000-7000-8000-000000000001"
KINDS = {"get": ONE, "list": f"{PRODUCTS}?limit=10", "create": PRODUCTS}
DOCUMENTED, BARE = "documented", "bare"
WORDS = {
    DOCUMENTED: "FastAPI and SQLAlchemy as documented, without middleware",
    BARE: "bare Starlette and asyncpg",
}
GOALS = {
    ("get", DOCUMENTED): 1.2,
    ("list", DOCUMENTED): 1.2,
    ("get", BARE): 0.6,
    ("list", BARE): 0.6,
}
MEMORY_GOAL = 1.15
MIB = 1024 * 1024
MILLISECONDS = {"us": 0.001, "ms": 1, "s": 1000}
ROWS = """
import asyncio, asyncpg, os
async def fill():
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    await connection.execute('''
        INSERT INTO products (id, sku, name, price, status, version)
        SELECT ('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
            'SKU-' || n, 'Product ' || n, n * 1.25, 'active', 1
        FROM generate_series(1, 10) AS n''')
asyncio.run(fill())
"""


@dataclass
class Served:
    """A contestant that serves: its process, its port, and how long it took to the first answer."""

    process: psutil.Popen
    port: int
    started_in: float


def main() -> None:
    """Serve all contestants from one database, load them in turn, and report."""
    check_wrk()
    with installed_service() as service, ExitStack() as stack:
        url = stack.enter_context(filled_database(service))
        report_start(service, url)
        processes: dict[str, list[Served]] = {}
        for name, command in commands(service).items():
            started = (served(service, command, url) for _ in range(2))
            processes[name] = [stack.enter_context(server) for server in started]
        for number in (1, 2):
            ports = {
                name: [server.port for server in servers[:number]]
                for name, servers in processes.items()
            }
            for kind in KINDS:
                report_load(kind, number, measured(kind, ports))
        report_memory({name: servers[0] for name, servers in processes.items()})


def check_wrk() -> None:
    """Exit and say what to do when the program wrk is missing."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: install it, on Debian with `apt-get install wrk`")


@contextmanager
def filled_database(service: Path) -> Iterator[str]:
    """Give the URL of a database with ten rows, beside the environment of the image."""
    run(["uv", "sync", "--quiet", "--no-dev"], service, UV_PROJECT_ENVIRONMENT=IMAGE)
    with postgres(service) as url:
        run(["uv", "run", "alembic", "upgrade", "head"], service, DATABASE_URL=url)
        run(["uv", "run", "python", "-c", ROWS], service, DATABASE_URL=url)
        yield url


def commands(service: Path) -> dict[str, list[str]]:
    """Return what serves each contestant, the service first."""
    python = str(service / IMAGE / "bin/python")
    options = ["--no-access-log", "--loop=uvloop", "--http=httptools", "--log-level=warning"]
    uvicorn = [python, "-m", "uvicorn", f"--app-dir={CONTESTANTS}", *options]
    return {
        "service": [python, "-m", "orders"],
        DOCUMENTED: [*uvicorn, "documented:app"],
        BARE: [*uvicorn, "bare:app"],
    }


def measured(kind: str, ports: dict[str, list[int]]) -> dict[str, tuple[Series, Series]]:
    """Measure each contestant in each round; return requests per second and 99th percentiles."""
    latencies: dict[str, list[float]] = {name: [] for name in ports}

    def measure_rate(name: str) -> float:
        rate, latency = load(kind, ports[name])
        latencies[name].append(latency)
        return rate

    rates = in_turn({name: partial(measure_rate, name) for name in ports}, ROUNDS)
    return {name: (rates[name], Series(tuple(latencies[name][1:]))) for name in ports}


def load(kind: str, ports: list[int]) -> tuple[float, float]:
    """Load some processes at once; return requests per second, and the 99th percentile in ms."""
    connections, threads = CONNECTIONS // len(ports), 2 // len(ports)
    options = [f"-t{threads}", f"-c{connections}", f"-d{SECONDS}s", "--latency"]
    script = [f"-s{CONTESTANTS / 'create.lua'}"] if kind == "create" else []
    started = []
    for port in ports:
        address = f"http://127.0.0.1:{port}{KINDS[kind]}"
        command = ["wrk", *options, *script, address, "--", uuid.uuid4().hex[:12].upper()]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    rate, latency = 0.0, 0.0
    for process in started:
        output, _ = process.communicate()
        if failed := re.search(r"Non-2xx.*|Socket errors.*", output):
            sys.exit(f"{kind}: {failed[0]}")
        rate += float(re.findall(r"Requests/sec:\s+([\d.]+)", output)[0])
        number, unit = re.findall(r"99%\s+([\d.]+)(us|ms|s)", output)[0]
        latency = max(latency, float(number) * MILLISECONDS[unit])
    return rate, latency


def report_load(kind: str, number: int, results: dict[str, tuple[Series, Series]]) -> None:
    """Report one kind of request: ratios first, then the figures."""
    served_by = "one process" if number == 1 else f"{number} processes"
    for name, words in WORDS.items():
        ratio = results["service"][0].over(results[name][0])
        goal = GOALS.get((kind, name))
        if goal is None:
            figure(f"{kind} by {served_by}", ratio, f"times {words}")
        else:
            holds = ratio.median >= goal
            claim(f"{kind} by {served_by}", ratio, against=words, goal=f">= {goal}", holds=holds)
    for name, (rates, late) in results.items():
        figure(f"{kind} by {served_by}, {name}", rates, "requests/s")
        figure(f"{kind} by {served_by}, {name}, 99th percentile", late, "ms")


def report_memory(processes: dict[str, Served]) -> None:
    """Report the memory of a process after the load."""
    memory = {
        name: Series((server.process.memory_full_info().uss / MIB,))
        for name, server in processes.items()
    }
    ratio = memory["service"].over(memory[DOCUMENTED])
    claim(
        "memory of a process",
        ratio,
        against=WORDS[DOCUMENTED],
        goal=f"<= {MEMORY_GOAL}",
        holds=ratio.median <= MEMORY_GOAL,
    )
    for name, series in memory.items():
        figure(f"memory of a process, {name}", series, "MiB")


def report_start(service: Path, url: str) -> None:
    """Start each in each round; report the time to the first answer from the database."""

    def started_in(command: list[str]) -> float:
        with served(service, command, url) as server:
            return server.started_in

    series_by_name = in_turn(
        {name: partial(started_in, command) for name, command in commands(service).items()}, ROUNDS
    )
    ratio = series_by_name["service"].over(series_by_name[DOCUMENTED])
    figure("start to first answer", ratio, f"times {WORDS[DOCUMENTED]}")
    for name, series in series_by_name.items():
        figure(f"start to first answer, {name}", series, "s")


@contextmanager
def postgres(service: Path) -> Iterator[str]:
    """Run the service's embedded PostgreSQL and provide its URL."""
    command = [str(service / ".venv/bin/python"), "-m", "development.postgres"]
    with subprocess.Popen(
        command, cwd=service, env=environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            url = re.search(r"postgresql://\S+", process.stdout.readline())
            yield url[0] if url else sys.exit("the embedded PostgreSQL did not start")
        finally:
            process.terminate()


@contextmanager
def served(service: Path, command: list[str], url: str) -> Iterator[Served]:
    """Serve a contestant, its log in a file, until the block ends."""
    port = free_port()
    port_option = ["--port", str(port)] if "uvicorn" in command else []
    variables = {
        "DATABASE_URL": url,
        "PORT": str(port),
        "POOL_SIZE": POOL_SIZE,
        "ORDERS_DATABASE_POOL_SIZE": POOL_SIZE,
        "ORDERS_DATABASE_MAX_OVERFLOW": "0",
        "ORDERS_SHUTDOWN_DELAY": "0",
    }
    with (service / f"{port}.log").open("wb") as log:
        started = time.perf_counter()
        process = psutil.Popen(
            [*command, *port_option], cwd=service, env=environment(**variables), stdout=log
        )
        try:
            wait_for(f"http://127.0.0.1:{port}{ONE}")
            yield Served(process, port, time.perf_counter() - started)
        finally:
            process.terminate()
            process.wait()


def wait_for(address: str) -> None:
    """Return when the address answers, within 20 seconds."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - on this machine
                return
        except URLError:
            time.sleep(0.01)
    sys.exit(f"{address} does not answer")


if __name__ == "__main__":
    main()
