"""The database, and the contestants that serve from it, each in its own process."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError

import psutil

from benchmarks.installed import IMAGE, run

from tests.support.environment import environment
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONTESTANTS = Path(__file__).parent / "contestants"
CONNECTIONS = 10
"""The connections to the database of an application, however many processes it has."""

PRODUCTS = "/api/v1/products"
ONE = f"{PRODUCTS}/01900000-0000-7000-8000-000000000001"
PATHS = {"get": ONE, "list": f"{PRODUCTS}?limit=10", "create": PRODUCTS}
NEW = ("POST", '{"sku":"NAME","name":"Lamp","price":"12.50"}')
SERVICE, HAND_WRITTEN, TUNED, BARE = "service", "hand-written", "hand-written, tuned", "bare"
ROWS = """
import asyncio, asyncpg, os
async def fill():
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    await connection.execute('''
        TRUNCATE products;
        INSERT INTO products (id, sku, name, price, status, version)
        SELECT ('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
            'SKU-' || n, 'Product ' || n, n * 1.25, 'active', 1
        FROM generate_series(1, 10) AS n''')
asyncio.run(fill())
"""


@dataclass(frozen=True)
class Contestant:
    """An application, how to start it, and the requests that it answers."""

    command: tuple[str, ...]
    folder: Path
    variables: Mapping[str, str]
    paths: Mapping[str, str] = field(default_factory=lambda: PATHS)
    new: tuple[str, str] = NEW
    """The method that creates a row, and the body."""


@dataclass(frozen=True)
class Database:
    """The server of all contestants: its process, and the URL of the service's database."""

    process: psutil.Process
    url: str


@dataclass
class Served:
    """A contestant that serves: its process, its port, and how long it took to the first answer."""

    contestant: Contestant
    process: psutil.Popen
    port: int
    started_in: float

    def address(self, kind: str) -> str:
        """The URL of a kind of request."""
        return f"http://127.0.0.1:{self.port}{self.contestant.paths[kind]}"


def contestants(service: Path, url: str, *, processes: int = 1) -> dict[str, Contestant]:
    """Return the applications on the service's table, the service first."""
    pool_size = str(CONNECTIONS // processes)
    python = str(service / IMAGE / "bin/python")
    options = ("--no-access-log", "--loop=uvloop", "--http=httptools", "--log-level=warning")
    uvicorn = (python, "-m", "uvicorn", f"--app-dir={CONTESTANTS}", *options)
    variables = {
        "DATABASE_URL": url,
        "POOL_SIZE": pool_size,
        "ORDERS_DATABASE_POOL_SIZE": pool_size,
        "ORDERS_DATABASE_MAX_OVERFLOW": "0",
        "ORDERS_SHUTDOWN_DELAY": "0",
    }
    commands = {
        SERVICE: (python, "-m", "orders"),
        HAND_WRITTEN: (*uvicorn, "--port=PORT", "hand_written:app"),
        TUNED: (*uvicorn, "--port=PORT", "tuned:app"),
        BARE: (*uvicorn, "--port=PORT", "bare:app"),
    }
    return {
        name: Contestant(command, service, {**variables, "PORT": "PORT"})
        for name, command in commands.items()
    }


@contextmanager
def filled_database(service: Path) -> Iterator[Database]:
    """Give a database with ten rows."""
    with postgres(service) as database:
        run(["uv", "run", "alembic", "upgrade", "head"], service, DATABASE_URL=database.url)
        run(["uv", "run", "python", "-c", ROWS], service, DATABASE_URL=database.url)
        yield database


@contextmanager
def postgres(service: Path) -> Iterator[Database]:
    """Run the service's embedded PostgreSQL."""
    command = [str(service / ".venv/bin/python"), "-m", "development.postgres"]
    with psutil.Popen(
        command, cwd=service, env=environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            url = re.search(r"postgresql://\S+", process.stdout.readline())
            if url is None:
                sys.exit("the embedded PostgreSQL did not start")
            yield Database(psutil.Process(process.pid), url[0])
        finally:
            process.terminate()


@contextmanager
def served(contestant: Contestant) -> Iterator[Served]:
    """Serve a contestant, its log in a file, until the block ends."""
    port = free_port()
    command = [part.replace("PORT", str(port)) for part in contestant.command]
    variables = {
        name: str(port) if value == "PORT" else value
        for name, value in contestant.variables.items()
    }
    with (contestant.folder / f"{port}.log").open("wb") as log:
        started = time.perf_counter()
        process = psutil.Popen(
            command,
            cwd=contestant.folder,
            env=environment(**variables),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            one = Served(contestant, process, port, 0.0)
            wait_for(one.address("list"), Path(log.name))
            one.started_in = time.perf_counter() - started
            yield one
        finally:
            process.terminate()
            process.wait()


def wait_for(address: str, log: Path) -> None:
    """Return when the address answers, within a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - on this machine
                return
        except HTTPError as error:
            sys.exit(f"{address} answers {error.code}: {error.read()[:500]!r}\n{log.read_text()}")
        except URLError:
            time.sleep(0.01)
    sys.exit(f"{address} does not answer:\n{log.read_text()[-2000:]}")
