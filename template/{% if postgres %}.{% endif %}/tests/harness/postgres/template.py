"""The migrated database that is cloned for each test, and the files that it depends on."""

import ast
import hashlib
import importlib.metadata
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import asyncpg

from tests.harness.postgres import server
from tests.harness.postgres.failures import migration_error
from tests.harness.postgres.naming import template_name, with_database

LOCK = 0x70797465737400
"""Key of the advisory lock for creating the template ("pytest" in ASCII)."""

KEPT = 5
DAYS = 7
"""Number of templates to keep on a server, besides those used in the last days."""

OLD = """
SELECT datname FROM (
    SELECT datname, shobj_description(oid, 'pg_database') AS used,
        row_number() OVER (ORDER BY shobj_description(oid, 'pg_database') DESC NULLS FIRST) AS place
    FROM pg_database
    WHERE datname ~ '^pytest_template_[0-9a-f]{20}$' AND pg_get_userbyid(datdba) = current_user
) AS templates
WHERE place > $1 AND used < to_char(now() - $2 * interval '1 day', 'YYYY-MM-DD')
"""

FORMAT = "1"
MIGRATIONS = "migrations"
"""The folder of the first database's migrations."""

DISTRIBUTIONS = ("alembic", "sqlalchemy", "asyncpg", "alembic-postgresql-enum")

RUNNER = (
    "migrate.py",
    "migration_statements.py",
    "feature_tables.py",
    "revision.py",
)
"""The modules of `internal/database` that run migrations."""


async def ensure(
    connection: asyncpg.Connection,
    url: str,
    digest: str,
    key: str,
    migrations: str = MIGRATIONS,
) -> str:
    """Return the name of the template, and create it if the server does not have it.

    It gets its name when it is complete.

    Raises:
        MigrationError: a migration failed.
    """
    name = template_name(digest)
    if not await _exists(connection, name):
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        try:
            if not await _exists(connection, name):
                await _make(connection, url, name, f"{key}_template", migrations)
                await _forget_old(connection)
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)
    today = await connection.fetchval("SELECT to_char(now(), 'YYYY-MM-DD')")
    await connection.execute(f"COMMENT ON DATABASE \"{name}\" IS '{today}'")
    return name


async def migrate(url: str, migrations: str = MIGRATIONS) -> None:
    """Apply all migrations of a folder to a database.

    Raises:
        MigrationError: one of them failed.
    """
    try:
        # Imported only when the template must be created.
        from tests.harness.postgres import service  # noqa: PLC0415

        await service.upgrade(service.alembic_config(url, migrations=migrations), "heads")
    except Exception as error:
        raise migration_error(error) from error


async def _exists(connection: asyncpg.Connection, name: str) -> bool:
    exists = await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name)
    return bool(exists)


async def _make(
    connection: asyncpg.Connection, url: str, name: str, temporary: str, migrations: str
) -> None:
    await server.create(connection, temporary, "")
    try:
        await migrate(with_database(url, temporary), migrations)
        await _warm(with_database(url, temporary))
        # Nobody can change it from now on, or block its cloning.
        await connection.execute(f'ALTER DATABASE "{temporary}" ALLOW_CONNECTIONS false')
        await connection.execute(f'ALTER DATABASE "{temporary}" IS_TEMPLATE true')
        await connection.execute(f'ALTER DATABASE "{temporary}" RENAME TO "{name}"')
    except asyncpg.DuplicateDatabaseError:
        # Another run, with its locks in another database, has created it meanwhile.
        await server.drop(connection, temporary)
    except BaseException:
        await server.drop(connection, temporary)
        raise


async def _warm(url: str) -> None:
    """Make PostgreSQL write its relation cache, so that sessions of all clones start faster."""
    connection = await asyncpg.connect(url)
    await connection.close()


async def _forget_old(connection: asyncpg.Connection) -> None:
    for record in await connection.fetch(OLD, KEPT, DAYS):
        await server.drop(connection, record["datname"])


def sources(root: Path, package: str, migrations: str = MIGRATIONS) -> list[Path]:
    """Return the files that the result of the migrations depends on.

    Those are the files in the folder of the migrations, the histories of features, and the modules
    of the service that its revisions import, directly or not. Of what `env.py` imports only the
    part that runs migrations counts: the models have no say in what a revision does.
    """
    folder = root / migrations
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    internal = root / package / "internal"
    runner = [internal / "database" / name for name in RUNNER]
    features = internal.glob("*/*/history/*.py")
    revisions = [path for path in files if path.suffix == ".py" and path.parent != folder]
    imported = _imported(revisions, root, package)
    return sorted({*files, *runner, *features, root / "alembic.ini", *imported})


def digest(files: Iterable[Path], root: Path, *others: str) -> str:
    """Return a digest of the files, of the versions of the migration tools, and of `others`."""
    parts = [FORMAT, *others]
    parts += [f"{name} {importlib.metadata.version(name)}" for name in DISTRIBUTIONS]
    content = hashlib.sha256("\n".join(parts).encode())
    for file in sorted(files):
        content.update(f"\n{os.path.relpath(file, root)}\n".encode())
        content.update(hashlib.sha256(file.read_bytes()).digest())
    return content.hexdigest()[:20]


def _imported(files: Iterable[Path], root: Path, package: str) -> set[Path]:
    """Return the modules of the package that the files import, and what those import."""
    paths: set[Path] = set()
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        for module in _names(file, root):
            path = _module_file(module, root) if module.partition(".")[0] == package else None
            if path and path not in paths:
                paths.add(path)
                waiting.append(path)
    return paths


def _names(file: Path, root: Path) -> Iterator[str]:
    """Return the names of all modules that a file may import."""
    here = file.relative_to(root).parts[:-1]
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError:
        return  # running the file will report the error
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*here[: len(here) - node.level + 1]] if node.level else []
            base += node.module.split(".") if node.module else []
            yield ".".join(base)
            yield from (".".join([*base, alias.name]) for alias in node.names)


def _module_file(module: str, root: Path) -> Path | None:
    path = root.joinpath(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.exists()), None)
