"""The developer's own server in TEST_DATABASE_URL, which others may use too."""

import contextlib

import asyncpg

from tests.harness.postgres import statements
from tests.harness.postgres.failures import HarnessError
from tests.harness.postgres.naming import OWNED

OLDEST = 140000

DEAD = """
SELECT datname FROM pg_database AS d
WHERE datname ~ $1 AND pg_get_userbyid(datdba) = current_user
AND NOT EXISTS (
    SELECT FROM pg_stat_activity
    WHERE application_name = substring(d.datname FROM '^pytest_[0-9a-f]{12}')
)
"""


async def connect(url: str, key: str) -> asyncpg.Connection:
    """Return a connection that shows to other runs that this process is alive.

    Raises:
        HarnessError: the server cannot be reached.
    """
    try:
        return await asyncpg.connect(url, server_settings={"application_name": key}, timeout=10)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise HarnessError(
            f"The server of TEST_DATABASE_URL cannot be used: {str(error) or 'no answer'}. "
            "Start it, correct the URL, or unset it to get an embedded server."
        ) from error


async def check(connection: asyncpg.Connection) -> None:
    """Check that the server and the role can be used.

    Raises:
        HarnessError: they cannot be used.
    """
    version = await connection.fetchval("SELECT current_setting('server_version_num')::int")
    if version < OLDEST:
        raise HarnessError(
            f"The server of TEST_DATABASE_URL is PostgreSQL {version // 10000}: "
            "use 14 or newer, or unset it to get an embedded server."
        )
    role = await connection.fetchval("SELECT current_user")
    if not await connection.fetchval(
        "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
    ):
        raise HarnessError(
            f"The role {role} of TEST_DATABASE_URL may not create databases: "
            f'run `ALTER ROLE "{role}" CREATEDB` as a superuser, or unset TEST_DATABASE_URL '
            "to get an embedded server."
        )


async def sweep(connection: asyncpg.Connection) -> None:
    """Drop the databases of dead test processes, and no others.

    A live process is in `pg_stat_activity` as long as it has databases.
    """
    for record in await connection.fetch(DEAD, OWNED):
        # Another run may do the same. The next run drops what cannot be dropped now.
        with contextlib.suppress(asyncpg.PostgresError):
            await statements.drop(connection, record["datname"])
