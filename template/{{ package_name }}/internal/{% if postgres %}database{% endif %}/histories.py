"""Tables that belong to a feature of the template, and the revisions that make them.

They are in a schema of their own, so that the service's revisions and models know nothing of them.
Their history is the template's: a feature that is turned on years later brings its tables with the
next upgrade, whatever the service's own history looks like by then.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from .revision import SCHEMA, Revisions

FEATURES = Path(__file__).parents[1]


@dataclass(frozen=True)
class History:
    """The revisions in one feature's folder `history`."""

    folder: Path

    @property
    def version_table(self) -> str:
        """The table that holds the revision that the database is at."""
        return f"{self.folder.parent.name}_version"

    @cached_property
    def revisions(self) -> Revisions:
        """The revisions, read once: they are files of the package, and asked for often."""
        return Revisions.read(self.folder)


@cache
def histories() -> list[History]:
    """Return the histories of the features that this service has."""
    return [History(folder) for folder in sorted(FEATURES.glob("*/*/history"))]


async def outdated(connection: AsyncConnection) -> str | None:
    """Name what a feature's tables lack in this database, or return None."""
    for history in histories():
        table = f"{SCHEMA}.{history.version_table}"
        exists = await connection.scalar(text(f"SELECT to_regclass('{table}')::text"))
        current = None
        if exists:
            current = await connection.scalar(text(f"SELECT version_num FROM {table}"))  # noqa: S608
        head = history.revisions.head
        if current != head:
            return f"{table} is at {current or 'no revision'}, this service needs {head}"
    return None
