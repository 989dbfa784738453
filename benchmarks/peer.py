"""A service from a generator that people use: s3rius/FastAPI-template, at its own defaults.

It is rendered while benchmarks run. Its own dependencies, migrations, settings, pool, log and
command serve its own example: rows of two columns, which it lists and creates, but does not get by
id. Only three things differ from what the generator writes:

- Python: its `requires-python` starts at 3.12, and all contestants run on one interpreter.
- `SHOP_RELOAD`, which its `.env` sets for development, is off.
- The address of the database.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.installed import run
from benchmarks.serving import Contestant

from tests.support.environment import environment

if TYPE_CHECKING:
    from pathlib import Path

VERSION = "6.1.2"
PEER = f"FastAPI-template {VERSION}"
GENERATE = ("uv", "tool", "run", f"--from=fastapi_template=={VERSION}", "fastapi_template")
CHOICES = (
    "--name=shop",
    "--quiet",
    "--api-type=rest",
    "--db=postgresql",
    "--orm=sqlalchemy",
    "--ci=none",
    "--migrations",
    "--dummy",
    "--routers",
)
ANY_PYTHON = ('requires-python = ">=3.12,<4.0"', 'requires-python = ">=3.11,<4.0"')
PATHS = {"list": "/api/dummy/?limit=10", "create": "/api/dummy/"}
PREPARE = """
import asyncio, asyncpg, sys
async def prepare():
    connection = await asyncpg.connect(sys.argv[1])
    await connection.execute(sys.argv[2])
asyncio.run(prepare())
"""
ROWS = "INSERT INTO dummy_model (name) SELECT 'Product ' || n FROM generate_series(1, 10) AS n"


def rendered_peer(folder: Path, python: Path, url: str) -> Contestant:
    """Generate the peer, install it for an interpreter, and fill a database on the same server."""
    # The generator installs the service as well, for a Python that it would download.
    offline = environment(UV_PYTHON_DOWNLOADS="never")
    command = [*GENERATE, *CHOICES]
    subprocess.run(command, cwd=folder, env=offline, check=True, capture_output=True)
    service = folder / "shop"
    project = service / "pyproject.toml"
    project.write_text(project.read_text().replace(*ANY_PYTHON))
    (service / ".python-version").unlink(missing_ok=True)
    run(["uv", "sync", "--quiet", "--no-dev", f"--python={python}"], service)
    run([str(python), "-c", PREPARE, url, "CREATE DATABASE shop"], service)
    address = urlsplit(url)
    variables = {
        "SHOP_RELOAD": "False",
        "SHOP_PORT": "PORT",
        "SHOP_DB_HOST": address.hostname or "",
        "SHOP_DB_PORT": str(address.port),
        "SHOP_DB_USER": address.username or "",
        "SHOP_DB_PASS": address.password or "",
    }
    own = service / ".venv/bin"
    run([str(own / "alembic"), "upgrade", "head"], service, **variables | {"SHOP_PORT": "8000"})
    run([str(python), "-c", PREPARE, address._replace(path="/shop").geturl(), ROWS], service)
    new = ("PUT", '{"name":"NAME"}')
    return Contestant((str(own / "python"), "-m", "shop"), service, variables, PATHS, new)
