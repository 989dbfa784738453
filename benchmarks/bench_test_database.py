"""Measure the cost of a database for each test.

A service with 12 tables and 20 revisions is rendered and installed in a temporary folder, and its
own harness is measured on its embedded server. Every figure is printed with what it is compared
with; the exit code is 1 if one is out of bounds. Run it from the repository's root:

    uv run --group test python -m benchmarks.bench_test_database
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from benchmarks.measure import Result, report

from tests.support.rendering import render, snapshot

TABLES = 12
REVISIONS = 20
MARK = "BENCHMARK_RUN"
MIB = 1024 * 1024

MEASURE = '''
"""Measures in one process, on the run's own server."""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from tests.harness.postgres import service, template
from tests.harness.postgres.naming import with_database

BACK_TO_BACK = [f"fast{number}" for number in range(100)]
SLOW = [f"slow{number}" for number in range(40)]


async def median(times: int, step: Callable[[int], Awaitable[None]]) -> float:
    """Return the median of what a step takes, in milliseconds."""
    found = []
    for number in range(times):
        start = time.perf_counter()
        await step(number)
        found.append((time.perf_counter() - start) * 1000)
    return statistics.median(found)


@pytest.mark.parametrize("name", BACK_TO_BACK)
async def test_back_to_back(migrated_postgres: str, name: str) -> None:
    """Has no body."""


@pytest.mark.parametrize("name", SLOW)
async def test_body_of_30_ms(migrated_postgres: str, name: str) -> None:
    """Works for 30 ms."""
    await asyncio.sleep(0.03)


async def test_bare(migrated_postgres_template: str, postgres: str, pytestconfig) -> None:
    """Measures the statements themselves, over one connection, with nothing else going on."""
    await asyncio.sleep(1)
    admin = await asyncpg.connect(with_database(postgres, "postgres"))
    copied = f'TEMPLATE "{migrated_postgres_template}" STRATEGY FILE_COPY'

    async def create(number: int) -> None:
        await admin.execute(f"CREATE DATABASE bare{number} {copied}")

    async def drop(number: int) -> None:
        await admin.execute(f"DROP DATABASE bare{number}")

    async def connect(number: int) -> None:
        connection = await asyncpg.connect(with_database(postgres, f"bare{number}"))
        await connection.close()

    async def migrate(number: int) -> None:
        await admin.execute(f"CREATE DATABASE bare{number}")
        await template.migrate(with_database(postgres, f"bare{number}"))

    figures = {
        "create": await median(40, create),
        "connect": await median(40, connect),
        "drop": await median(40, drop),
        "migrate": await median(15, migrate),
        "drop_migrated": await median(15, drop),
    }
    await admin.close()
    (pytestconfig.rootpath / "bare.json").write_text(json.dumps(figures))
'''

CONFTEST = '''
"""Records how long each test waits for its database."""

import json
import time
from collections.abc import Generator

import pytest

WAITS: list[tuple[str, float]] = []


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request) -> Generator[None, object, object]:
    start = time.perf_counter()
    result = yield
    if fixturedef.argname == "migrated_postgres":
        WAITS.append((request.node.name, (time.perf_counter() - start) * 1000))
    return result


def pytest_sessionfinish(session) -> None:
    if WAITS and not hasattr(session.config, "workerinput"):
        (session.config.rootpath / "waits.json").write_text(json.dumps(WAITS))
'''

MANY = """
import asyncpg
import pytest

@pytest.mark.parametrize("number", range(500))
async def test_database(migrated_postgres: str, number: int) -> None:
    connection = await asyncpg.connect(migrated_postgres)
    await connection.execute("INSERT INTO t0 (name) VALUES ('one')")
    await connection.close()
"""

ONE = "async def test_one(migrated_postgres: str) -> None:\n    pass\n"
NONE = "async def test_none() -> None:\n    pass\n"


@dataclass(frozen=True)
class Figure:
    """A figure and its bound."""

    name: str
    value: float
    bound: float
    unit: str
    compared: str
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Say whether the value is within the bound."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    @property
    def result(self) -> Result:
        """The figure as all benchmarks report theirs."""
        goal = f"{'>=' if self.at_least else '<='} {self.bound:g}"
        comparison = f"({self.compared})"
        return Result(self.name, (self.value,), self.unit, comparison, goal, self.holds)


class BenchedService:
    """The measured service."""

    def __init__(self, folder: Path) -> None:
        """Render the service, install it, and write its history."""
        template = snapshot(folder / "template")
        self.folder = render(template, folder / "orders", kafka=False)
        prefixes = ("UV_", "VIRTUAL_ENV", "PYTEST_", "TEST_DATABASE_URL")
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(prefixes)
        }
        self.environment = inherited | {MARK: str(os.getpid())}
        command = ["uv", "sync", "--quiet"]
        subprocess.run(command, cwd=self.folder, env=self.environment, check=True)
        self._write_history()

    def write(self, name: str, text: str) -> None:
        """Write a file of the service's tests."""
        (self.folder / "tests" / name).write_text(text)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start pytest in the service."""
        options = ["-q", "-p", "no:randomly"]
        return subprocess.Popen(
            [self.folder / ".venv/bin/python", "-m", "pytest", *options, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def test(self, *arguments: str) -> float:
        """Run tests, which must pass, and return how many seconds that took."""
        start = time.perf_counter()
        with self.start(*arguments) as process:
            output, _ = process.communicate()
        seconds = time.perf_counter() - start
        if process.returncode:
            sys.exit(output)
        return seconds

    def _write_history(self) -> None:
        """Write revisions that create tables and then change them."""
        versions = self.folder / "migrations" / "versions"
        for file in versions.glob("*.py"):
            file.unlink()
        for number in range(REVISIONS):
            table = f"t{number % TABLES}"
            upgrade = (
                f'op.create_table("{table}", sa.Column("id", sa.Integer, primary_key=True),'
                ' sa.Column("name", sa.Text, unique=True), sa.Column("at", sa.DateTime))\n'
                f'    op.create_index("ix_{table}_at", "{table}", ["at"])'
                if number < TABLES
                else f'op.add_column("{table}", sa.Column("more", sa.Text, server_default=""))'
            )
            parent = f"r{number - 1:02}" if number else None
            text = f"import sqlalchemy as sa\nfrom alembic import op\nrevision = 'r{number:02}'\n"
            text += f"down_revision = {parent!r}\n\ndef upgrade() -> None:\n    {upgrade}\n"
            text += "\ndef downgrade() -> None:\n    pass\n"
            (versions / f"r{number:02}.py").write_text(text)


def measure_waits(service: BenchedService) -> list[Figure]:
    """Compare the waiting time of tests with the time of the statements."""
    service.write("conftest.py", CONFTEST)
    service.write("test_measure.py", MEASURE)
    service.test("tests/test_measure.py")
    direct = json.loads((service.folder / "bare.json").read_text())
    fixture_waits = json.loads((service.folder / "waits.json").read_text())
    fast = statistics.median(ms for name, ms in fixture_waits if "back_to_back" in name)
    slow = statistics.median(ms for name, ms in fixture_waits if "30_ms" in name)
    clone = direct["create"] + direct["connect"] + direct["drop"]
    migrated = direct["migrate"] + direct["connect"] + direct["drop_migrated"]
    return [
        Figure(
            "wait for a database without pause between tests",
            fast / direct["create"],
            1.2,
            "times",
            f"{fast:.1f} ms against a bare CREATE DATABASE of {direct['create']:.1f} ms",
        ),
        Figure(
            "wait for a database between tests of 30 ms",
            slow,
            5,
            "ms",
            f"bare CREATE {direct['create']:.1f} ms",
        ),
        Figure(
            "clone, connect and drop",
            migrated / clone,
            5,
            "times cheaper",
            f"{clone:.1f} ms against {migrated:.1f} ms to migrate, connect and drop",
            at_least=True,
        ),
        Figure(
            "wait with clones made ahead",
            direct["migrate"] / slow,
            20,
            "times shorter",
            f"{slow:.2f} ms against {direct['migrate']:.1f} ms to create and migrate",
            at_least=True,
        ),
    ]


def measure_second_start(service: BenchedService) -> Figure:
    """Compare a run of one database test with a run of one that needs none."""
    service.write("conftest.py", "")
    service.write("test_one.py", ONE)
    service.write("test_none.py", NONE)
    service.test("tests/test_one.py")
    # In pairs, as the machine may be doing other things, too.
    pairs = [
        (service.test("tests/test_none.py"), service.test("tests/test_one.py")) for _ in range(9)
    ]
    without_test, with_test = (statistics.median(times) for times in zip(*pairs, strict=True))
    return Figure(
        "start of a second run",
        statistics.median(with_one - without for without, with_one in pairs),
        1.0,
        "s",
        f"{with_test:.2f} s with one database test, {without_test:.2f} s with one that needs none",
    )


def measure_memory(service: BenchedService) -> list[Figure]:
    """Measure the memory of 500 tests with two workers, and find remaining files and processes."""
    service.write("test_many.py", MANY)
    peak_memory, start = 0, time.perf_counter()
    folders: set[Path] = set()
    with service.start("-n", "2", "tests/test_many.py") as process:
        while process.poll() is None:
            folders |= folders_of_run()
            peak_memory = max(peak_memory, memory_of_run())
            time.sleep(0.1)
        output = process.stdout.read() if process.stdout else ""
    if process.returncode:
        sys.exit(output)
    seconds = time.perf_counter() - start
    time.sleep(1)
    if not folders:
        sys.exit("the run's data was not seen: is there no memory file system?")
    leftovers = sum(folder.exists() for folder in folders) + len(processes())
    cache = sum(file.stat().st_size for file in (service.folder / ".cache/postgres").iterdir())
    return [
        Figure(
            "peak memory of 500 tests on two workers",
            peak_memory / MIB,
            1536,
            "MiB",
            f"processes and memory file system; they took {seconds:.1f} s",
        ),
        Figure(
            "processes and files left after them",
            leftovers,
            0,
            "",
            f"except a cache of {cache / MIB:.1f} MiB",
        ),
    ]


def processes() -> list[psutil.Process]:
    """Return the living processes of the measured runs."""
    matches = []
    for process in psutil.process_iter():
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            if alive and process.environ().get(MARK) == str(os.getpid()):
                matches.append(process)
        except psutil.Error:
            continue
    return matches


def folders_of_run() -> set[Path]:
    """Return the folders in which the run's servers keep their data."""
    folders = set()
    for process in processes():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if Path(command[0]).name == "postgres" and "-D" in command:
            folders.add(Path(command[command.index("-D") + 1]).parent)
    return folders


def memory_of_run() -> int:
    """Return the bytes of the run's processes, what they share counted once, and of its files."""
    memory = 0
    for process in processes():
        try:
            memory += process.memory_full_info().pss
        except psutil.Error:
            continue
    for folder in folders_of_run():
        output = subprocess.run(
            ["du", "-sk", str(folder)], capture_output=True, text=True, check=False
        )
        memory += int(output.stdout.split()[0]) * 1024 if output.stdout else 0
    return memory


def main() -> int:
    """Measure everything."""
    # Not in pytest's or a private folder: PostgreSQL's own account must reach it if we are root.
    with TemporaryDirectory(prefix="bench-") as folder:
        service = BenchedService(Path(folder))
        figures = [
            *measure_waits(service),
            measure_second_start(service),
            *measure_memory(service),
        ]
    for figure in figures:
        report(figure.result)
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
