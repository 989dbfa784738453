"""What is in a database, as PostgreSQL's catalogue tells it, and how two differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import asyncpg

QUERIES = Path(__file__).with_name("catalogue.sql")

# The schema `internal` holds tables of the template's features, with a history of their own.
OWN = "nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'internal')"
FREE = (
    "NOT EXISTS (SELECT FROM pg_depend d "
    "WHERE d.classid = o.tableoid AND d.objid = o.oid AND d.deptype = 'e')"
)
OWNER = "(SELECT datdba FROM pg_database WHERE datname = current_database())"

Catalogue = Mapping[tuple[str, str], str]
"""From the kind and the name of each thing to its definition."""

BOOKKEEPING = "alembic_version"


async def read(connection: asyncpg.Connection) -> Catalogue:
    """Return what neither PostgreSQL, an extension, Alembic nor a feature made."""
    found: dict[tuple[str, str], str] = {}
    # Names come out with their schema, whatever the role's search path is.
    async with connection.transaction(readonly=True):
        await connection.execute("SET LOCAL search_path = pg_catalog")
        for kind, query in _queries():
            for name, definition in await connection.fetch(query):
                if not _is_bookkeeping(name):
                    found[kind, name] = definition or ""
    return found


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same in two databases; None where there is no such thing."""

    kind: str
    name: str
    before: str | None
    after: str | None


def compare(before: Catalogue, after: Catalogue) -> list[Difference]:
    """Return what differs; a table that came or went stands for all its parts."""
    return [
        Difference(*key, before.get(key), after.get(key))
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key) and not _goes_with_owner(key, before, after)
    ]


def differences(before: Catalogue, after: Catalogue) -> list[str]:
    """Name what `after` leaves over, loses and changes, compared with `before`."""
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
    """Say whether a part of a table came or went with it: the table is named, not each part."""
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
