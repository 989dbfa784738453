"""Which revisions this version of the service knows, and which one the schema is at."""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ..feature import NotReadyError, StartError

ROOT: Final = Path(__file__).parents[3]
"""The folder of the service, in which `migrations` is."""

SCHEMA: Final = "internal"
"""The schema of all tables that belong to features of the service, and not to its domains."""


class UnreadableHistoryError(StartError):
    """The files of the revisions do not say which revision the service needs."""


class SchemaOutOfDateError(NotReadyError):
    """A schema has not been migrated to this version of the service."""


@dataclass(frozen=True)
class Revisions:
    """The revisions in a folder: all that are known, and the one that no other follows."""

    known: frozenset[str]
    head: str | None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what the files say of themselves.

        Alembic would run them for that, and stay in the memory of every process that serves.

        Raises:
            UnreadableHistoryError: a file computes what it follows, there are several heads, or
                the folder is missing.
        """
        if not folder.parent.is_dir():
            raise UnreadableHistoryError(f"{folder.parent} is missing: deploy it with the service.")
        follows: dict[str, set[str]] = {}
        for path in sorted(folder.glob("*.py")):
            found = _assigned(path)
            if "revision" in found:
                follows[str(found["revision"])] = _names(found.get("down_revision"))
        heads = sorted(follows.keys() - set[str]().union(*follows.values()))
        if len(heads) > 1 or (follows and not heads):
            raise UnreadableHistoryError(
                f"{folder} has not one head but {len(heads)} ({', '.join(heads)}): "
                "write a revision that merges them (alembic merge heads)."
            )
        return cls(frozenset(follows), heads[0] if heads else None)

    def is_behind(self, current: str | None) -> bool:
        """Say whether a schema at `current` still needs some of these revisions."""
        return current != self.head and not self.is_ahead(current)

    def is_ahead(self, current: str | None) -> bool:
        """Say whether a newer version of the service migrated the schema.

        Both versions work on it while one replaces the other.
        """
        return current is not None and current not in self.known

    def judge(self, name: str, current: str | None) -> str:
        """Return how the schema `name` compares with these revisions.

        Raises:
            SchemaOutOfDateError: it is behind them.
        """
        at = current or "no revision"
        if self.is_behind(current):
            raise SchemaOutOfDateError(f"{name} is at {at}, this service needs {self.head}")
        return f"ahead of this version, at {at}" if self.is_ahead(current) else f"at {at}"


def _assigned(path: Path) -> dict[str, object]:
    """Return what a module assigns to the names by which Alembic knows a revision."""
    found: dict[str, object] = {}
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
                found[name] = ast.literal_eval(value)
            except ValueError:
                raise UnreadableHistoryError(
                    f"{path} computes its {name}: write it as a text, as `make migration` does."
                ) from None
    return found


def _names(value: object) -> set[str]:
    """Return the revisions that one follows: none, one, or those that it merges."""
    if value is None:
        return set()
    return {str(name) for name in value} if isinstance(value, tuple | list) else {str(value)}


async def current_revision(
    connection: AsyncConnection, table: str = "alembic_version"
) -> str | None:
    """Return the revision that a version table names, or None where no migration has run."""
    if await connection.scalar(text(f"SELECT to_regclass('{table}')::text")) is None:
        return None
    revision: str | None = await connection.scalar(text(f"SELECT version_num FROM {table}"))  # noqa: S608 - a name from this package
    return revision
