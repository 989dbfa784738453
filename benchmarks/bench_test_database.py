"""Measure the cost of a database for each test.

A service with 12 tables and 20 revisions is rendered and installed in a temporary folder, and its
own harness is measured on its embedded server. Run it from the repository's root:

    uv run --group test python -m benchmarks.bench_test_database
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from benchmarks.measure import QUICK, ROUNDS, Series, figure, in_turn, ratio

from tests.support.rendering import render, snapshot

TABLES = 12
REVISIONS = 20
TIMES = 4 if QUICK else 40
"""How often a test or a statement is repeated in one round."""

TESTS = 20 if QUICK else 500
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

TIMES = 0
BACK_TO_BACK = [f"fast{number}" for number in range(TIMES)]
SLOW = [f"slow{number}" for number in range(TIMES)]


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
        "create": await median(TIMES, create),
        "connect": await median(TIMES, connect),
        "drop": await median(TIMES, drop),
        "migrate": await median(TIMES // 2, migrate),
        "drop_migrated": await median(TIMES // 2, drop),
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

@pytest.mark.parametrize("number", range(0))
async def test_database(migrated_postgres: str, number: int) -> None:
    connection = await asyncpg.connect(migrated_postgres)
    await connection.execute("INSERT INTO t0 (name) VALUES ('one')")
    await connection.close()
"""

ONE = "async def test_one(migrated_postgres: str) -> None:\n    pass\n"
NONE = "async def test_none() -> None:\n    pass\n"


class BenchedService:
    """The measured service."""

    def __init__(self, folder: Path) -> None:
        """Render the service, install it, and write its history."""
        template = snapshot(folder / "template")
        self.folder = render(template, folder / "orders", kafka=False)
        ours = ("UV_", "VIRTUAL_ENV", "PYTEST_", "TEST_DATABASE_URL")
        inherited = {name: v for name, v in os.environ.items() if not name.startswith(ours)}
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
        took = time.perf_counter() - start
        if process.returncode:
            sys.exit(output)
        return took

    def _write_history(self) -> None:
        """Write revisions that create tables and then change them."""
        versions = self.folder / "migrations" / "versions"
        for file in versions.glob("*.py"):
            file.unlink()
        for number in range(REVISIONS):
            table = f"t{number % TABLES}"
            up = (
                f'op.create_table("{table}", sa.Column("id", sa.Integer, primary_key=True),'
                ' sa.Column("name", sa.Text, unique=True), sa.Column("at", sa.DateTime))\n'
                f'    op.create_index("ix_{table}_at", "{table}", ["at"])'
                if number < TABLES
                else f'op.add_column("{table}", sa.Column("more", sa.Text, server_default=""))'
            )
            down = f"r{number - 1:02}" if number else None
            text = f"import sqlalchemy as sa\nfrom alembic import op\nrevision = 'r{number:02}'\n"
            text += f"down_revision = {down!r}\n\ndef upgrade() -> None:\n    {up}\n"
            text += "\ndef downgrade() -> None:\n    pass\n"
            (versions / f"r{number:02}.py").write_text(text)


def measure_waits(service: BenchedService) -> None:
    """Compare the waiting time of tests with the time of the statements."""
    service.write("conftest.py", CONFTEST)
    service.write("test_measure.py", MEASURE.replace("TIMES = 0", f"TIMES = {TIMES}"))
    rounds = [waits(service) for _ in range(ROUNDS)]
    series = {name: Series(tuple(each[name] for each in rounds)) for name in rounds[0]}
    fast, slow, create = series["back_to_back"], series["30_ms"], series["create"]
    ours, migrated = series["clone, connect, drop"], series["migrate, connect, drop"]
    wait = "wait for a database"
    ratio(f"{wait} without pause between tests", fast.over(create), "CREATE DATABASE", at_most=1.2)
    figure(f"{wait} without pause between tests", fast, "ms")
    figure(f"{wait} between tests of 30 ms", slow, "ms", at_most=5)
    ratio("migrate, connect and drop", migrated.over(ours), "clone, connect and drop", at_least=5)
    against = f"{wait} between tests of 30 ms"
    ratio("create and migrate a database", series["migrate"].over(slow), against, at_least=20)
    figure("CREATE DATABASE from a template", create, "ms")
    figure("create and migrate a database", series["migrate"], "ms")


def waits(service: BenchedService) -> dict[str, float]:
    """Run the tests once, and return the median of each kind of wait and statement, in ms."""
    service.test("tests/test_measure.py")
    ms: dict[str, float] = json.loads((service.folder / "bare.json").read_text())
    waited = json.loads((service.folder / "waits.json").read_text())
    for kind in ("back_to_back", "30_ms"):
        ms[kind] = statistics.median(wait for name, wait in waited if kind in name)
    ms["clone, connect, drop"] = ms["create"] + ms["connect"] + ms["drop"]
    ms["migrate, connect, drop"] = ms["migrate"] + ms["connect"] + ms["drop_migrated"]
    return ms


def measure_second_start(service: BenchedService) -> None:
    """Compare a run of one database test with a run of one that needs none."""
    service.write("conftest.py", "")
    service.write("test_one.py", ONE)
    service.write("test_none.py", NONE)
    measured = in_turn(
        {name: partial(service.test, f"tests/test_{name}.py") for name in ("none", "one")}
    )
    pairs = zip(measured["one"].figures, measured["none"].figures, strict=True)
    more = Series(tuple(one - none for one, none in pairs))
    figure("second run of one database test, beyond one that needs none", more, "s", at_most=1)
    figure("second run of one database test", measured["one"], "s")


def measure_memory(service: BenchedService) -> None:
    """Measure the memory of many tests with two workers, and find remaining files and processes."""
    service.write("test_many.py", MANY.replace("range(0)", f"range({TESTS})"))
    rounds = [peak_and_left(service) for _ in range(ROUNDS)]
    peaks, left, took = (Series(tuple(each)) for each in zip(*rounds, strict=True))
    tests = f"{TESTS} tests on two workers"
    figure(f"peak memory of {tests}, files in memory included", peaks, "MiB", at_most=1536)
    figure(f"processes and files left after {tests}", left, "", at_most=0)
    figure(tests, took, "s")


def peak_and_left(service: BenchedService) -> tuple[float, float, float]:
    """Run the tests once; return their peak memory in MiB, what they left, and their seconds."""
    peak, start = 0, time.perf_counter()
    folders: set[Path] = set()
    with service.start("-n", "2", "tests/test_many.py") as process:
        while process.poll() is None:
            folders |= folders_of_run()
            peak = max(peak, memory_of_run())
            time.sleep(0.1)
        output = process.stdout.read() if process.stdout else ""
    took = time.perf_counter() - start
    if process.returncode:
        sys.exit(output)
    time.sleep(1)
    if not folders:
        sys.exit("the run's data was not seen: is there no memory file system?")
    left = sum(folder.exists() for folder in folders) + len(processes())
    return peak / MIB, left, took


def processes() -> list[psutil.Process]:
    """Return the living processes of the measured runs."""
    found = []
    for process in psutil.process_iter():
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            if alive and process.environ().get(MARK) == str(os.getpid()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def folders_of_run() -> set[Path]:
    """Return the folders in which the run's servers keep their data."""
    folders = set()
    for process in processes():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if "-D" in command and Path(command[0]).name == "postgres":
            folders.add(Path(command[command.index("-D") + 1]).parent)
    return folders


def memory_of_run() -> int:
    """Return the bytes of the run's processes, what they share counted once, and of its files."""
    used = 0
    for process in processes():
        try:
            used += process.memory_full_info().pss
        except psutil.Error:
            continue
    for folder in folders_of_run():
        listed = subprocess.run(
            ["du", "-sk", str(folder)], capture_output=True, text=True, check=False
        )
        used += int(listed.stdout.split()[0]) * 1024 if listed.stdout else 0
    return used


def main() -> None:
    """Measure everything."""
    # Not in pytest's or a private folder: PostgreSQL's own account must reach it if we are root.
    with TemporaryDirectory(prefix="bench-") as folder:
        service = BenchedService(Path(folder))
        measure_waits(service)
        measure_second_start(service)
        measure_memory(service)


if __name__ == "__main__":
    main()
