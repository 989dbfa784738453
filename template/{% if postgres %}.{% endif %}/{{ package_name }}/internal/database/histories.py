"""Tables that belong to a feature of the template, and the revisions that make them.

They are in a schema of their own, so that the service's revisions and models know nothing of them.
Their history is the template's: a feature that is turned on years later brings its tables with the
next upgrade, whatever the service's own history looks like by then.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from .revision import SCHEMA, Revisions, current_revision

FEATURES = Path(__file__).parents[1]


@dataclass(frozen=True)
class History:
    """The revisions in one feature's folder `history`."""

    folder: Path

    @property
    def version_table(self) -> str:
        """The name of the table, in the schema `internal`, with the database's revision."""
        return f"{self.folder.parent.name}_version"

    @cached_property
    def revisions(self) -> Revisions:
        """The revisions, read once: they are files of the package, and asked for often."""
        return Revisions.read(self.folder)


@cache
def histories() -> list[History]:
    """Return the histories of the features that this service has."""
    return [History(folder) for folder in sorted(FEATURES.glob("*/*/history"))]


async def judge_features(connection: AsyncConnection) -> list[str]:
    """Return which features have tables that a newer version of the service migrated.

    Raises:
        SchemaOutOfDateError: the tables of a feature are behind this version of the service.
    """
    ahead = []
    for history in histories():
        table = f"{SCHEMA}.{history.version_table}"
        current = await current_revision(connection, table)
        judgement = history.revisions.judge(table, current)
        if history.revisions.is_ahead(current):
            ahead.append(f"{table} {judgement}")
    return ahead
