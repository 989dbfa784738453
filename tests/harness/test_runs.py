"""A test run starts its server once, and leaves only the cache behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.harness.conftest import folders_of_run
from tests.support.processes import marked

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.harness.services import Service

DATABASE_TESTS = """
import asyncio
import asyncpg
import pytest

@pytest.mark.parametrize("number", range(12))
async def test_database(migrated_postgres: str, number: int) -> None:
    connection = await asyncpg.connect(migrated_postgres)
    assert await connection.fetchval("SELECT count(*) FROM products") == 0
    await connection.execute(
        "INSERT INTO products (id, version, sku, name, price, status)"
        " VALUES (gen_random_uuid(), 1, 'a', 'lamp', 1, 'draft')"
    )
    await connection.close()
"""

SLOW_TEST = """
import asyncio
import pathlib
import pytest

@pytest.mark.parametrize("number", range(2))
async def test_slow(migrated_postgres: str, postgres: str, number: int) -> None:
    pathlib.Path(f"up{number}").touch()
    await asyncio.sleep(600)
"""


def test_unit_tests_alone_start_no_server(service: Service) -> None:
    """A run without a database starts none, and does not even import the code that would."""
    shutil.rmtree(service.folder / ".cache")
    service.write(
        "tests/test_unit.py",
        """
        import sys

        async def test_nothing() -> None:
            assert "tests.harness.postgres.databases" not in sys.modules
            assert "sqlalchemy" not in sys.modules
        """,
    )
    run = service.test("tests/test_unit.py")
    assert run.code == 0, run.output
    assert not (service.folder / ".cache" / "postgres").exists()


def test_every_test_has_its_own_database(service: Service) -> None:
    """Tests do not see each other's writes, on two workers and in any order."""
    service.write("tests/test_many.py", DATABASE_TESTS)
    run = service.test("tests/test_many.py", "-n", "2", "-p", "randomly")
    assert run.code == 0, run.output
    assert marked(service.mark) == []


def test_the_migrated_template_is_kept_between_runs(service: Service) -> None:
    """An unchanged history is not migrated again, and a changed one is."""
    service.write("tests/test_many.py", DATABASE_TESTS)
    (entry,) = cached(service)
    inode = entry.stat().st_ino
    assert service.test("tests/test_many.py").code == 0
    assert [path.stat().st_ino for path in cached(service)] == [inode]
    service.add_revision("a01", 'op.execute("INSERT INTO products SELECT FROM products")')
    assert service.test("tests/test_many.py").code == 0
    assert len(cached(service)) == 2


def test_a_module_imported_by_a_migration_counts(service: Service) -> None:
    """The template is rebuilt if a module that a migration imports changes."""
    service.write("orders/names.py", 'NAME = "one"\n')
    service.add_revision(
        "a01",
        "op.execute(f\"COMMENT ON TABLE products IS '{NAME}'\")",
        extra="from orders.names import NAME",
    )
    for name in ("one", "two"):
        service.write("orders/names.py", f'NAME = "{name}"\n')
        service.write(
            "tests/test_one.py",
            f"""
            import asyncpg

            async def test_name(migrated_postgres: str) -> None:
                connection = await asyncpg.connect(migrated_postgres)
                name = await connection.fetchval("SELECT obj_description('products'::regclass)")
                await connection.close()
                assert name == "{name}"
            """,
        )
        run = service.test("tests/test_one.py")
        assert run.code == 0, run.output


@pytest.mark.parametrize("damage", ["truncated", "garbled", "empty"])
def test_a_broken_cache_is_rebuilt(service: Service, damage: str) -> None:
    """A damaged entry is replaced, and the tests pass."""
    service.write("tests/test_many.py", DATABASE_TESTS)
    (entry,) = cached(service)
    contents = entry.read_bytes()
    middle = len(contents) // 2
    damaged = {
        "truncated": contents[:middle],
        "garbled": contents[:middle] + b"?" * 100 + contents[middle + 100 :],
        "empty": b"",
    }
    entry.write_bytes(damaged[damage])
    run = service.test("tests/test_many.py")
    assert run.code == 0, run.output
    (entry,) = cached(service)
    assert entry.stat().st_size > middle


def test_the_cache_is_limited(service: Service) -> None:
    """Only the last few histories are kept."""
    service.write("tests/test_many.py", DATABASE_TESTS)
    (entry,) = cached(service)
    for number in range(4):
        other = shutil.copyfile(entry, entry.with_name(f"{number:020}.packed"))
        os.utime(other, (number, number))
    service.add_revision("a01")
    assert service.test("tests/test_many.py", "-k", "0").code == 0
    remaining = cached(service)
    assert len(remaining) == 3
    assert entry in remaining
    assert sum(path.stat().st_size for path in remaining) < 15_000_000


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_leaves_nothing(
    service: Service, signum: signal.Signals, workers: str
) -> None:
    """However a run ends, its server and its data are removed at once."""
    process = start_slow_test(service, workers)
    run_folders = folders_of_run(service.mark)
    assert run_folders
    os.killpg(process.pid, signum)
    output, _ = process.communicate(timeout=60)
    if signum == signal.SIGINT:
        assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    wait_until_gone(service, run_folders)


def test_the_next_run_removes_the_data_of_a_killed_one(service: Service) -> None:
    """If even the server and its supervisor were killed, the next run removes the data."""
    process = start_slow_test(service, "0")
    run_folders = folders_of_run(service.mark)
    assert run_folders
    for remaining in marked(service.mark):
        remaining.kill()
    process.communicate(timeout=60)
    assert marked(service.mark) == []
    for folder in run_folders:
        os.utime(folder, (time.time() - 60,) * 2)  # old enough not to be in creation
    service.write("tests/test_many.py", DATABASE_TESTS)
    assert service.test("tests/test_many.py").code == 0
    wait_until_gone(service, run_folders)


def test_a_failed_test_can_keep_its_database(service: Service) -> None:
    """With --keep-database the data outlives the run, and the printed URL gives access to it."""
    service.write(
        "tests/test_one.py",
        """
        import asyncpg

        async def test_fails(migrated_postgres: str) -> None:
            connection = await asyncpg.connect(migrated_postgres)
            await connection.execute("CREATE TABLE evidence AS SELECT 42 AS answer")
            await connection.close()
            assert False

        async def test_passes(migrated_postgres: str) -> None:
            pass
        """,
    )
    run = service.test("tests/test_one.py", "--keep-database", "-n", "2")
    (url,) = re.findall(r"(postgresql://\S+) \(after", run.output)
    (folder,) = re.findall(r"--folder ([^`]+)`", run.output)
    wait_until_gone(service, set())
    with service.server(folder) as served:
        assert served.rpartition("/")[0] == url.rpartition("/")[0]
        assert read_answer(service, url) == "42"


def test_a_run_can_stop_at_the_first_failure_and_resume(service: Service) -> None:
    """-x stops without losing data, and --lf starts with the failed test."""
    service.write("tests/test_many.py", DATABASE_TESTS + "    assert number != 5\n")
    run = service.test("tests/test_many.py", "-x")
    assert (run.counts("passed"), run.counts("failed")) == (5, 1), run.output
    run = service.test("tests/test_many.py", "--lf")
    assert (run.counts("passed"), run.counts("failed")) == (0, 1), run.output


def test_a_fixture_of_the_service_replaces_one_of_the_harness(service: Service) -> None:
    """Overriding a fixture changes settings, and everything else stays."""
    service.write(
        "tests/conftest.py",
        """
        import pytest

        @pytest.fixture
        def settings_values(settings_values: dict[str, object]) -> dict[str, object]:
            return {**settings_values, "docs_enabled": False}
        """,
    )
    service.write(
        "tests/test_docs.py",
        """
        from httpx import AsyncClient

        async def test_docs(api_client: AsyncClient) -> None:
            assert (await api_client.get("/docs")).status_code == 404
        """,
    )
    run = service.test("tests/test_docs.py")
    assert run.code == 0, run.output


def read_answer(service: Service, url: str) -> str:
    """Return what a failed test recorded."""
    script = f"""
import asyncio, asyncpg
async def main():
    connection = await asyncpg.connect({url!r})
    print(await connection.fetchval("SELECT answer FROM evidence"))
    await connection.close()
asyncio.run(main())
"""  # noqa: S608 - a URL of our own
    return service.start("-c", script).communicate()[0].strip()


def cached(service: Service) -> list[Path]:
    """Return the entries of a service's cache."""
    return sorted((service.folder / ".cache" / "postgres").glob("*.packed"))


def start_slow_test(service: Service, workers: str, **variables: str) -> subprocess.Popen[str]:
    """Start a run, and return when its tests have their databases."""
    service.write("tests/test_slow.py", SLOW_TEST)
    process = service.start("-m", "pytest", "-q", "-n", workers, "tests/test_slow.py", **variables)
    test_count = max(1, int(workers))
    deadline = time.monotonic() + 60
    while len(list(service.folder.glob("up*"))) < test_count:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    return process


def wait_until_gone(service: Service, folders: set[Path]) -> None:
    """Fail unless all processes with the service's mark end soon, and its folders are removed."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not marked(service.mark) and not any(folder.exists() for folder in folders):
            return
        time.sleep(0.1)
    commands = [process.cmdline() for process in marked(service.mark)]
    raise AssertionError(f"left behind: {commands} {[f for f in folders if f.exists()]}")
