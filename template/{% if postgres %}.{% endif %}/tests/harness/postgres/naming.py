"""Names of the databases that the harness makes, by which it knows its own from all others."""

import re
import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit

EMPTY = "template1"
"""What an empty database is a copy of."""

OWNED = "^pytest_[0-9a-f]{12}_[a-z0-9]+$"
"""A database of one process, which shows that it lives by a connection named `pytest_<key>`."""

URL = re.compile(r"(postgres|postgresql|postgresql\+asyncpg)://")
DATABASE_NAMES = ("dbname", "database")
"""Parameters of a URL that name its database."""


def new_key() -> str:
    """Return a name for a process, which no other has."""
    return f"pytest_{secrets.token_hex(6)}"


def template_name(digest: str) -> str:
    """Return the name of the migrated template for a history."""
    return f"pytest_template_{digest}"


def kept_name(name: str) -> str:
    """Return the name under which a database stays after the run."""
    return name.replace("pytest_", "pytest_kept_", 1)


def with_database(url: str, database: str) -> str:
    """Return the URL of another database on the same server."""
    parts = urlsplit(url)
    others = [(name, value) for name, value in parse_qsl(parts.query) if name not in DATABASE_NAMES]
    query = f"?{urlencode(others)}" if others else ""
    return f"{parts.scheme}://{parts.netloc}/{database}{query}"


def dsn(url: str) -> str:
    """Return the URL in the spelling that every library reads; the service takes others as well."""
    return f"postgresql://{url.partition('://')[2]}" if URL.match(url) else url
