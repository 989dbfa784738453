"""Read the objects of a database from PostgreSQL's catalogue, and compare two databases."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import asyncpg

QUERIES = Path(__file__).with_name("catalogue.sql")

# The schema `internal` contains tables of the template's features, with their own migrations.
OWN = "nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'internal')"
FREE = (
    "NOT EXISTS (SELECT FROM pg_depend d "
    "WHERE d.classid = o.tableoid AND d.objid = o.oid AND d.deptype = 'e')"
)
OWNER = "(SELECT datdba FROM pg_database WHERE datname = current_database())"

Catalogue = Mapping[tuple[str, str], str]
"""The definition of each object, by its kind and name."""

BOOKKEEPING = "alembic_version"


async def read(connection: asyncpg.Connection) -> Catalogue:
    """Return all objects except those of PostgreSQL, extensions, Alembic and features."""
    definitions: dict[tuple[str, str], str] = {}
    # With an empty search path, all names include their schema.
    async with connection.transaction(readonly=True):
        await connection.execute("SET LOCAL search_path = pg_catalog")
        for kind, query in _queries():
            for name, definition in await connection.fetch(query):
                if not _is_bookkeeping(name):
                    definitions[kind, name] = definition or ""
    return definitions


@dataclass(frozen=True)
class Difference:
    """An object that differs between two databases. A missing side is None."""

    kind: str
    name: str
    before: str | None
    after: str | None


def compare(before: Catalogue, after: Catalogue) -> list[Difference]:
    """Return the differences. A new or missing table is listed without its parts."""
    return [
        Difference(*key, before.get(key), after.get(key))
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key) and not _goes_with_owner(key, before, after)
    ]


def differences(before: Catalogue, after: Catalogue) -> list[str]:
    """Describe the objects that `after` adds, misses and changes, compared with `before`."""
    lines = []
    for item in compare(before, after):
        if item.before is None:
            lines.append(f"leaves {item.kind} {item.name}")
        elif item.after is None:
            lines.append(f"loses {item.kind} {item.name}")
        else:
            change = f"{item.before!r} became {item.after!r}"
            lines.append(f"changes {item.kind} {item.name}: {change}")
    return lines


@cache
def _queries() -> list[tuple[str, str]]:
    text = QUERIES.read_text()
    for name, condition in {"own": OWN, "free": FREE, "owner": OWNER}.items():
        text = text.replace(f"{{{name}}}", condition)
    parts = (part.partition("\n") for part in text.split("-- kind: ")[1:])
    return [(kind, query) for kind, _, query in parts]


def _goes_with_owner(key: tuple[str, str], before: Catalogue, after: Catalogue) -> bool:
    """Return whether an object belongs to a table that is new or missing itself."""
    kind, name = key
    if (key in before) == (key in after):
        return False
    tables = {table for kind, table in {*before, *after} if kind == "table"}
    owners = (t for t in tables if name.startswith(f"{t}.") or (name == t and kind != "table"))
    owner = next(owners, None)
    return bool(owner) and (("table", owner) in before) != (("table", owner) in after)


def _is_bookkeeping(name: str) -> bool:
    parts = name.split(".")
    return BOOKKEEPING in parts[1:2]
