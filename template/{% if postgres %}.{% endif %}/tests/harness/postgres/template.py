"""The migrated database that is cloned for each test."""

import asyncpg

from tests.harness.postgres import statements
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


async def ensure(connection: asyncpg.Connection, url: str, digest: str, key: str) -> str:
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
                await _make(connection, url, name, f"{key}_template")
                await _forget_old(connection)
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)
    today = await connection.fetchval("SELECT to_char(now(), 'YYYY-MM-DD')")
    await connection.execute(f"COMMENT ON DATABASE \"{name}\" IS '{today}'")
    return name


async def migrate(url: str) -> None:
    """Apply all migrations to a database.

    Raises:
        MigrationError: one of them failed.
    """
    try:
        # Imported only when the template must be created.
        from tests.harness.postgres import service  # noqa: PLC0415

        await service.upgrade(service.alembic_config(url), "heads")
    except Exception as error:
        raise migration_error(error) from error


async def _exists(connection: asyncpg.Connection, name: str) -> bool:
    found = await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name)
    return bool(found)


async def _make(connection: asyncpg.Connection, url: str, name: str, temporary: str) -> None:
    await statements.create(connection, temporary, "")
    try:
        await migrate(with_database(url, temporary))
        await _warm(with_database(url, temporary))
        # Nobody can change it from now on, or block its cloning.
        await connection.execute(f'ALTER DATABASE "{temporary}" ALLOW_CONNECTIONS false')
        await connection.execute(f'ALTER DATABASE "{temporary}" IS_TEMPLATE true')
        await connection.execute(f'ALTER DATABASE "{temporary}" RENAME TO "{name}"')
    except asyncpg.DuplicateDatabaseError:
        # Another run, with its locks in another database, has created it meanwhile.
        await statements.drop(connection, temporary)
    except BaseException:
        await statements.drop(connection, temporary)
        raise


async def _warm(url: str) -> None:
    """Make PostgreSQL write its relation cache, so that sessions of all clones start faster."""
    connection = await asyncpg.connect(url)
    await connection.close()


async def _forget_old(connection: asyncpg.Connection) -> None:
    for record in await connection.fetch(OLD, KEPT, DAYS):
        await statements.drop(connection, record["datname"])
