"""An embedded PostgreSQL 18: no installation, no container, no account.

    with EmbeddedPostgres(Path(".postgres"), database="orders") as server:
        print(server.url)

Several processes may use one folder: the first starts the server, the others join it, and it
stops when the last one exits, for whatever reason. `python -m development.postgres` runs only the
server.
"""

from development.postgres.backing import BACKING
from development.postgres.errors import PostgresError
from development.postgres.server import EmbeddedPostgres

__all__ = ["BACKING", "EmbeddedPostgres", "PostgresError"]
