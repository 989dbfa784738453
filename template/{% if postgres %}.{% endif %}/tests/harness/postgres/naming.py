"""Names of the harness's databases, which distinguish them from all others."""

import re
import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit

EMPTY = "template1"
"""The template of an empty database."""

OWNED = "^pytest_[0-9a-f]{12}_[a-z0-9]+$"
"""A process's database. While the process runs, it has a connection named `pytest_<key>`."""

URL = re.compile(r"(postgres|postgresql|postgresql\+asyncpg)://")
DATABASE_NAMES = ("dbname", "database")
"""Parameters of a URL that name its database."""


def new_key() -> str:
    """Return a unique name for a process."""
    return f"pytest_{secrets.token_hex(6)}"


def template_name(digest: str) -> str:
    """Return the name of the migrated template for a history."""
    return f"pytest_template_{digest}"


def kept_name(name: str) -> str:
    """Return the name of a kept database."""
    return name.replace("pytest_", "pytest_kept_", 1)


def with_database(url: str, database: str) -> str:
    """Return the URL of another database on the same server."""
    parts = urlsplit(url)
    others = [(name, value) for name, value in parse_qsl(parts.query) if name not in DATABASE_NAMES]
    query = f"?{urlencode(others)}" if others else ""
    return f"{parts.scheme}://{parts.netloc}/{database}{query}"


def dsn(url: str) -> str:
    """Return the URL in the format that all libraries accept. The service accepts others too."""
    return f"postgresql://{url.partition('://')[2]}" if URL.match(url) else url
