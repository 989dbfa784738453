"""Requests per second of the example's reads, next to apps written by hand for the same table.

Run it with `uv run --group test python -m benchmarks.bench_requests`; it needs the program wrk.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError

from benchmarks.installed import installed_service, run
from benchmarks.measure import Series, claim, in_turn

from tests.services.processes import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS = 5
SECONDS = 4
POOL_SIZE = "10"
CONTESTANTS = Path(__file__).parent / "contestants"
ONE = "/api/v1/products/01900000-0000-7000-8000-000000000001"
PATHS = {"get": ONE, "list": "/api/v1/products?limit=10"}
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


def main() -> None:
    """Serve all contestants from one database, load them in turn, and print the ratios."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: install it, on Debian with `apt-get install wrk`")
    with installed_service() as service, ExitStack() as stack:
        url = stack.enter_context(postgres(service))
        run(["uv", "run", "alembic", "upgrade", "head"], service, DATABASE_URL=url)
        run(["uv", "run", "python", "-c", ROWS], service, DATABASE_URL=url)
        ports = {
            name: stack.enter_context(served(service, command, url))
            for name, command in commands(service).items()
        }
        for kind, path in PATHS.items():
            report(
                kind,
                in_turn({name: load(port, path) for name, port in ports.items()}, ROUNDS),
            )


def commands(service: Path) -> dict[str, list[str]]:
    """Return what serves each contestant, the service first."""
    python = str(service / ".venv/bin/python")
    options = ["--no-access-log", "--loop=uvloop", "--http=httptools", "--log-level=warning"]
    uvicorn = [python, "-m", "uvicorn", f"--app-dir={CONTESTANTS}", *options]
    return {
        "service": [python, "-m", "orders"],
        "documented": [*uvicorn, "documented:app"],
        "bare": [*uvicorn, "bare:app"],
    }


def report(kind: str, found: dict[str, Series]) -> None:
    """Print the figures of one kind of request."""
    for name, series in found.items():
        print(f"{kind}, {name}: {series.text(0)} requests/s")
    documented = found["service"].over(found["documented"])
    claim(
        f"{kind} with all middleware",
        documented,
        against="FastAPI and SQLAlchemy as documented, without any",
        goal=">= 0.95",
        holds=documented.median >= 0.95,  # noqa: PLR2004 - as in the line above
    )
    print(f"{kind}: {found['service'].over(found['bare']).text()} times bare Starlette and asyncpg")


@contextmanager
def postgres(service: Path) -> Iterator[str]:
    """Run the service's embedded PostgreSQL and give its URL."""
    command = [str(service / ".venv/bin/python"), "-m", "development.postgres"]
    with subprocess.Popen(
        command, cwd=service, env=environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            found = re.search(r"postgresql://\S+", process.stdout.readline())
            yield found[0] if found else sys.exit("the embedded PostgreSQL did not start")
        finally:
            process.terminate()


@contextmanager
def served(service: Path, command: list[str], url: str) -> Iterator[int]:
    """Serve a contestant, its log in a file, and give its port once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    port_option = ["--port", str(port)] if "uvicorn" in command else []
    variables = {
        "DATABASE_URL": url,
        "PORT": str(port),
        "POOL_SIZE": POOL_SIZE,
        "ORDERS_DATABASE_POOL_SIZE": POOL_SIZE,
        "ORDERS_DATABASE_MAX_OVERFLOW": "0",
        "ORDERS_SHUTDOWN_DELAY": "0",
    }
    with (
        (service / f"{port}.log").open("wb") as log,
        subprocess.Popen(
            [*command, *port_option], cwd=service, env=environment(**variables), stdout=log
        ) as process,
    ):
        try:
            wait_for(f"http://127.0.0.1:{port}{ONE}")
            yield port
        finally:
            process.terminate()


def wait_for(address: str) -> None:
    """Return when the address answers, within 20 seconds."""
    for _ in range(200):
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - on this machine
                return
        except URLError:
            time.sleep(0.1)
    sys.exit(f"{address} does not answer")


def load(port: int, path: str) -> Callable[[], float]:
    """Return a call that loads one address with wrk and gives its requests per second."""
    command = ["wrk", "-t2", "-c32", f"-d{SECONDS}s", f"http://127.0.0.1:{port}{path}"]

    def measure() -> float:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        if failed := re.search(r"Non-2xx.*|Socket errors.*", done.stdout):
            sys.exit(f"{command[-1]}: {failed[0]}")
        return float(re.findall(r"Requests/sec:\s+([\d.]+)", done.stdout)[0])

    return measure


if __name__ == "__main__":
    main()
