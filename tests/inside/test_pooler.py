"""Behind PgBouncer the service works, or its start fails with the reason."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel
from sqlalchemy import literal, select, text

from orders.internal.database import DatabaseSessionManager, ReadOnlyError, engine
from orders.internal.database.pooler import TransactionPoolingError

from .helpers import serve_on, settings
from tests.support.ports import free_port

PROGRAM = shutil.which("pgbouncer")
NOBODY = 65534

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed")


class Numbered(BaseModel):
    """A row with a number."""

    number: int


@asynccontextmanager
async def pooled(url: str, mode: str) -> AsyncIterator[str]:
    """Run PgBouncer for a server; yield the database's URL through it."""
    server = urlsplit(url)
    port = free_port()
    with TemporaryDirectory(prefix="pgbouncer-") as name:
        folder = Path(name)
        _configure(folder, url, port, mode)
        process = await asyncio.create_subprocess_exec(
            *(str(PROGRAM), "-q", str(folder / "ini")),
            # PgBouncer refuses to run as root.
            user=NOBODY if os.geteuid() == 0 else None,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await _until_open(port)
            yield url.replace(f":{server.port}/", f":{port}/")
        finally:
            process.terminate()
            await process.wait()


def _configure(folder: Path, url: str, port: int, mode: str) -> None:
    server = urlsplit(url)
    (folder / "users").write_text(f'"{server.username}" "{server.password}"\n')
    (folder / "ini").write_text(
        f"[databases]\n* = host={server.hostname} port={server.port}\n[pgbouncer]\n"
        f"listen_addr=127.0.0.1\nlisten_port={port}\nunix_socket_dir=\npool_mode={mode}\n"
        f"auth_type=scram-sha-256\nauth_file={folder}/users\n"
    )
    folder.chmod(0o755)


async def _until_open(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def test_transaction_mode_is_refused(postgres: str) -> None:
    """Clients share sessions in this mode, so one client's settings would affect others."""
    async with pooled(str(postgres), "transaction") as url:
        manager = DatabaseSessionManager.from_settings(settings(database_url=url))
        with pytest.raises(TransactionPoolingError, match="pool_mode=session"):
            await manager.check()
        await manager.close()


async def test_transaction_mode_is_refused_for_a_replica(postgres: str) -> None:
    """Clients share sessions in this mode, and the names of their prepared statements collide."""
    async with pooled(str(postgres), "transaction") as url:
        with pytest.raises(TransactionPoolingError, match="DATABASE_READ_URL leads to"):
            async with serve_on(str(postgres), database_read_url=url):
                pass


async def test_session_mode_works(postgres: str) -> None:
    """Without special settings of PgBouncer, timeouts and read-only sessions work."""
    async with pooled(str(postgres), "session") as url:
        manager = DatabaseSessionManager.from_settings(
            settings(database_url=url, database_statement_timeout=7)
        )
        await manager.check()
        async with manager.session() as session:
            await session.execute(text("CREATE TABLE t ()"))
            assert await session.scalar(text("SHOW statement_timeout")) == "7s"
        async with manager.session(read_only=True) as session:
            assert await session.scalar(text("SHOW transaction_read_only")) == "on"
        await manager.close()


async def test_readers_work_in_session_mode(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that use the same session in turn do not see each other's statements."""
    async with pooled(str(postgres), "session") as url:
        for _process in range(2):
            monkeypatch.setattr(engine, "NUMBERS", count())
            manager = DatabaseSessionManager.from_settings(
                settings(database_url=url, database_pool_size=1, database_statement_timeout=7)
            )
            reader = manager.reader
            assert await reader.scalar(text("SHOW statement_timeout")) == "7s"
            number = select(literal(7).label("number"))
            assert [row.number for row in await reader.all(number, Numbered)] == [7]
            async with reader.stream(number, Numbered) as rows:
                assert [row.number async for row in rows] == [7]
            with pytest.raises(ReadOnlyError):
                await reader.scalar(text("CREATE TABLE t ()"))
            await manager.close()
