"""The revisions that this version of the service knows, and the revision of the database."""

import ast
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final, Self

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ..feature import NotReadyError, StartError

ROOT: Final = Path(__file__).parents[3]
"""The folder of the service, which contains `migrations`."""

FEATURES: Final = Path(__file__).parents[1]

SCHEMA: Final = "internal"
"""The schema of the tables that features bring, such as those in a folder `history`.

The service's own revisions and models do not mention them. A feature that is turned on years later
creates its tables in the next upgrade, whatever the service's own history is by then.
"""


class UnreadableHistoryError(StartError):
    """The files of the revisions do not determine which revision the service needs."""


class SchemaOutOfDateError(NotReadyError):
    """A schema was not migrated to this version of the service."""


@dataclass(frozen=True)
class Revisions:
    """The revisions in a folder, and the newest of them."""

    known: frozenset[str]
    head: str | None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the ids in the files of a folder.

        Alembic would import the files for that, and take memory in every process that serves.

        Raises:
            UnreadableHistoryError: a file computes its `down_revision`, there are several heads,
                or the folder is missing.
        """
        if not folder.parent.is_dir():
            raise UnreadableHistoryError(f"{folder.parent} is missing: deploy it with the service.")
        parents: dict[str, set[str]] = {}
        for path in sorted(folder.glob("*.py")):
            assignments = _assigned(path)
            if "revision" in assignments:
                parents[str(assignments["revision"])] = _names(assignments.get("down_revision"))
        heads = sorted(parents.keys() - set[str]().union(*parents.values()))
        if len(heads) > 1 or (parents and not heads):
            raise UnreadableHistoryError(
                f"{folder} has not one head but {len(heads)} ({', '.join(heads)}): "
                "write a revision that merges them (alembic merge heads)."
            )
        return cls(frozenset(parents), heads[0] if heads else None)

    def is_behind(self, current: str | None) -> bool:
        """Return whether a schema at `current` needs some of these revisions."""
        return current != self.head and not self.is_ahead(current)

    def is_ahead(self, current: str | None) -> bool:
        """Return whether a newer version of the service migrated the schema.

        Both versions work on it while one replaces the other.
        """
        return current is not None and current not in self.known

    def judge(self, name: str, current: str | None) -> str:
        """Return how the schema `name` compares with these revisions.

        Raises:
            SchemaOutOfDateError: it is behind them.
        """
        position = current or "no revision"
        if self.is_behind(current):
            raise SchemaOutOfDateError(f"{name} is at {position}, this service needs {self.head}")
        return (
            f"ahead of this version, at {position}" if self.is_ahead(current) else f"at {position}"
        )


def _assigned(path: Path) -> dict[str, object]:
    """Return the values of `revision` and `down_revision` in a module."""
    assignments: dict[str, object] = {}
    for statement in ast.parse(path.read_bytes()).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        if name in {"revision", "down_revision"}:
            try:
                assignments[name] = ast.literal_eval(value)
            except ValueError:
                raise UnreadableHistoryError(
                    f"{path} computes its {name}: write it as a text, as `make migration` does."
                ) from None
    return assignments


def _names(value: object) -> set[str]:
    """Return the revisions in a `down_revision`: none, one, or several that are merged."""
    if value is None:
        return set()
    return {str(name) for name in value} if isinstance(value, tuple | list) else {str(value)}


async def current_revision(
    connection: AsyncConnection, table: str = "alembic_version"
) -> str | None:
    """Return the revision in a version table, or None if no migration has run."""
    if await connection.scalar(text(f"SELECT to_regclass('{table}')::text")) is None:
        return None
    revision: str | None = await connection.scalar(text(f"SELECT version_num FROM {table}"))  # noqa: S608 - a name from this package
    return revision


@dataclass(frozen=True)
class History:
    """The revisions in one feature's folder `history`."""

    folder: Path

    @property
    def version_table(self) -> str:
        """Name of the table, in the schema `internal`, that holds the database's revision."""
        return f"{self.folder.parent.name}_version"

    @cached_property
    def revisions(self) -> Revisions:
        """The revisions, read once because every check of the database needs them."""
        return Revisions.read(self.folder)


@cache
def histories() -> list[History]:
    """Return the histories of this service's features."""
    return [History(folder) for folder in sorted(FEATURES.glob("*/*/history"))]


async def judge_features(connection: AsyncConnection) -> list[str]:
    """Return a message for each feature whose tables a newer version of the service migrated.

    Raises:
        SchemaOutOfDateError: the tables of a feature are behind this version of the service.
    """
    newer = []
    for history in histories():
        table = f"{SCHEMA}.{history.version_table}"
        current = await current_revision(connection, table)
        verdict = history.revisions.judge(table, current)
        if history.revisions.is_ahead(current):
            newer.append(f"{table} {verdict}")
    return newer
