"""The embedded server starts on a bare machine and in a copied folder, and explains failures."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import asyncpg
import pytest

from development.postgres import EmbeddedPostgres, PostgresError, system
from tests.harness.postgres.naming import dsn, with_database

MAKE_ACCOUNT = """
import sys
from pathlib import Path
from development.postgres import system
system.ACCOUNT = sys.argv[1]
print(system.account_for(Path("/nonexistent")))
"""
BARE = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
"""An environment without XDG_RUNTIME_DIR."""

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account")


@pytest.fixture(name="account")
def _account() -> Iterator[str]:
    """The name of an account that does not exist yet, and is removed afterwards."""
    name = f"pgtest{uuid4().hex[:8]}"
    yield name
    subprocess.run(["/usr/sbin/userdel", name], capture_output=True, check=False)  # noqa: S603


@only_root
def test_processes_that_create_the_account_at_once_see_no_warning(account: str) -> None:
    """On a bare machine, each process gets the account, although warnings are errors."""
    command = [sys.executable, "-W", "error", "-c", MAKE_ACCOUNT, account]
    processes = [
        subprocess.Popen(  # noqa: S603 - this interpreter, and a program from this file
            command,
            env=BARE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert outputs == [(f"{account}\n", "")] * 4
    assert pwd.getpwnam(account).pw_uid != 0


@pytest.fixture(name="folder")
def _folder() -> Iterator[Path]:
    """A folder that PostgreSQL's account can enter, unlike pytest's own."""
    with TemporaryDirectory(prefix="embedded-", ignore_cleanup_errors=True) as name:
        yield Path(name)


async def ask(url: str, statement: str) -> object:
    """Run a statement and return its value."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_a_copied_folder_has_a_server_with_its_data(folder: Path) -> None:
    """A copy, made while the original runs, is another server with the same data."""
    with EmbeddedPostgres(folder / "one") as original:
        await ask(original.url, "CREATE TABLE kept AS SELECT 1")
        await ask(original.url, "CHECKPOINT")
        shutil.copytree(folder / "one", folder / "two")
        with EmbeddedPostgres(folder / "two") as copy:
            assert copy.url != original.url
            assert await ask(copy.url, "SELECT current_setting('data_directory')") == str(
                folder / "two/data"
            )
            assert await ask(copy.url, "SELECT to_regclass('kept')::text") == "kept"


async def test_a_moved_folder_has_a_server_with_its_data(folder: Path) -> None:
    """The server's data does not depend on its path."""
    with EmbeddedPostgres(folder / "one") as server:
        await ask(server.url, "CREATE TABLE kept AS SELECT 1")
    (folder / "one").rename(folder / "moved%2Fhere")
    with EmbeddedPostgres(folder / "moved%2Fhere") as server:
        assert await ask(server.url, "SELECT to_regclass('kept')::text") == "kept"


def test_a_user_without_an_entry_gets_an_explanation(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error contains the reason, although the ephemeral server's folder is removed by then."""
    message = "initdb: error: could not look up effective user ID 54321: user does not exist"
    initdb = folder / "programs/initdb"
    initdb.parent.mkdir()
    initdb.write_text(f"#!/bin/sh\necho '{message}'\nexit 1\n")
    initdb.chmod(0o755)
    folder.chmod(0o755)
    monkeypatch.setattr(system, "programs", lambda: initdb.parent)
    server = EmbeddedPostgres(folder / "server", ephemeral=True)
    with pytest.raises(PostgresError, match="needs an entry in /etc/passwd") as raised:
        server.start()
    assert message in str(raised.value)
    assert not (folder / "server").exists()


def test_the_frameworks_synchronous_client_causes_no_warning() -> None:
    """Warnings are errors in a service's tests."""
    assert import_module("starlette.testclient").__name__ == "starlette.testclient"


@pytest.mark.parametrize(
    ("given", "usable", "other"),
    [
        ("postgres://u:p@h:1/a", "postgresql://u:p@h:1/a", "postgresql://u:p@h:1/b"),
        ("postgresql+asyncpg://h/a?x=1", "postgresql://h/a?x=1", "postgresql://h/b?x=1"),
        ("postgresql:///a?host=/run", "postgresql:///a?host=/run", "postgresql:///b?host=%2Frun"),
        ("postgresql://h/?dbname=a", "postgresql://h/?dbname=a", "postgresql://h/b"),
        ("nonsense", "nonsense", None),
    ],
)
def test_every_form_of_a_test_servers_url_works(given: str, usable: str, other: str | None) -> None:
    """TEST_DATABASE_URL accepts the same values as DATABASE_URL."""
    assert dsn(given) == usable
    assert other is None or with_database(usable, "b") == other
