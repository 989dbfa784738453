"""Tests on a developer's own server do not disturb it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.harness.test_runs import DATABASE_TESTS, start_slow_test

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.services import Service


@pytest.fixture(name="server")
def _server(service: Service) -> Iterator[str]:
    """The URL of a server outside the harness. TEMPLATE_TEST_SERVER sets another one."""
    if url := os.environ.get("TEMPLATE_TEST_SERVER"):
        yield url
        return
    with service.server(service.folder / "server") as url:
        yield url


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement and return its rows."""

    async def run() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(url)
        try:
            return [tuple(record) for record in await connection.fetch(statement)]
        finally:
            await connection.close()

    return asyncio.run(run())


def databases(url: str) -> set[str]:
    """Return the names of the server's databases."""
    return {name for (name,) in query(url, "SELECT datname FROM pg_database")}


def test_only_the_template_database_stays(service: Service, server: str) -> None:
    """After a run on two workers there is one more database: the template, used again next time."""
    service.write("tests/test_many.py", DATABASE_TESTS)
    before = databases(server)
    for _ in range(2):
        run = service.test("tests/test_many.py", "-n", "2", TEST_DATABASE_URL=server)
        assert run.code == 0, run.output
    (template,) = databases(server) - before
    assert template.startswith("pytest_template_")
    flags = "SELECT datistemplate, datallowconn FROM pg_database WHERE datname = "
    assert query(server, f"{flags} '{template}'") == [(True, False)]
    query(server, f"ALTER DATABASE {template} IS_TEMPLATE false")
    query(server, f"DROP DATABASE {template}")


def test_each_role_has_a_template_that_it_can_read(
    service: Service, server: str, name: str
) -> None:
    """A role that runs its tests after another on the same server can use its tables."""
    service.write("tests/test_many.py", DATABASE_TESTS)
    before = databases(server)
    query(server, f"CREATE ROLE {name} LOGIN CREATEDB PASSWORD 'secret'")
    parts = urlsplit(server)
    role_url = f"postgresql://{name}:secret@{parts.hostname}:{parts.port}/postgres"
    for url in (server, role_url):
        run = service.test("tests/test_many.py", TEST_DATABASE_URL=url)
        assert run.code == 0, run.output
    templates = databases(server) - before
    assert len(templates) == 2
    for template in templates:
        query(server, f"ALTER DATABASE {template} IS_TEMPLATE false")
        query(server, f"DROP DATABASE {template}")
    query(server, f"DROP ROLE {name}")


def test_only_databases_of_dead_runs_are_dropped(service: Service, server: str) -> None:
    """The next run drops those of a killed run, but none of a running one or of others."""
    foreign = {"pytest", "pytest_orders", "pytest_0123456789ab", "pytest_mine_1", "pytest_kept_1"}
    for name in foreign:
        query(server, f"CREATE DATABASE {name}")
    before = databases(server)
    dead = start_slow_test(service, "0", TEST_DATABASE_URL=server)
    abandoned = {name for name in databases(server) - before if "template" not in name}
    os.killpg(dead.pid, signal.SIGKILL)
    dead.communicate(timeout=60)
    for path in service.folder.glob("up*"):
        path.unlink()
    living = start_slow_test(service, "0", TEST_DATABASE_URL=server)
    of_living = {name for name in databases(server) - before - abandoned if "template" not in name}
    service.write("tests/test_many.py", DATABASE_TESTS)
    assert service.test("tests/test_many.py", TEST_DATABASE_URL=server).code == 0
    remaining = databases(server)
    assert abandoned
    assert not abandoned & remaining
    assert of_living <= remaining
    assert foreign <= remaining
    living.send_signal(signal.SIGINT)
    living.communicate(timeout=60)
    for name in foreign:
        query(server, f"DROP DATABASE {name}")


def test_a_role_that_cannot_create_databases_gets_one_message(
    service: Service, server: str, name: str
) -> None:
    """The message says what to do. Tests without a database pass."""
    query(server, f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
    parts = urlsplit(server)
    url = f"postgresql://{name}:secret@{parts.hostname}:{parts.port}/postgres"
    service.write("tests/test_many.py", DATABASE_TESTS + "\n\ndef test_unit() -> None:\n    pass\n")
    run = service.test("tests/test_many.py", "-n", "2", TEST_DATABASE_URL=url)
    message = f"\nThe role {name} of TEST_DATABASE_URL may not create databases: run `ALTER ROLE"
    assert run.output.count(message) == 1, run.output
    assert (run.counts("passed"), run.counts("errors")) == (1, 12)
    assert "secret" not in run.output
    query(server, f"DROP ROLE {name}")


def test_a_server_that_does_not_answer_is_reported_once(service: Service) -> None:
    """The message has the variable."""
    service.write("tests/test_many.py", DATABASE_TESTS)
    url = "postgresql://someone:secret@127.0.0.1:1/postgres"
    run = service.test("tests/test_many.py", TEST_DATABASE_URL=url)
    assert run.output.count("\nThe server of TEST_DATABASE_URL cannot be used") == 1, run.output
    assert "secret" not in run.output


def test_no_run_drops_a_kept_database(service: Service, server: str) -> None:
    """The printed URL gives access to the data, also after the next run."""
    service.write("tests/test_many.py", DATABASE_TESTS + "    assert number != 5\n")
    run = service.test("tests/test_many.py", "--keep-database", TEST_DATABASE_URL=server)
    (url,) = re.findall(r"^  (postgresql://\S+)$", run.output, re.MULTILINE)
    assert service.test("tests/test_many.py", TEST_DATABASE_URL=server).counts("failed") == 1
    assert query(url, "SELECT name FROM products") == [("lamp",)]
    query(server, f"DROP DATABASE {urlsplit(url).path[1:]}")


def test_many_workers_copy_one_template_under_load(service: Service, server: str) -> None:
    """Four workers copy the template at once, while another client is connected."""
    service.write("tests/test_many.py", DATABASE_TESTS.replace("range(12)", "range(60)"))

    async def look() -> None:
        connection = await asyncpg.connect(server)
        try:
            while True:
                await connection.fetch("SELECT pg_database_size(oid) FROM pg_database")
        finally:
            await connection.close()

    async def both() -> int:
        looking = asyncio.create_task(look())
        run = await asyncio.to_thread(
            service.test, "tests/test_many.py", "-n", "4", TEST_DATABASE_URL=server
        )
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError, asyncpg.PostgresError):
            await looking
        assert run.counts("passed") == 60, run.output
        return run.code

    assert asyncio.run(both()) == 0
