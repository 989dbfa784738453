"""Which revisions this version of the service knows, and which one the schema is at."""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ..feature import StartError

ROOT: Final = Path(__file__).parents[3]
"""The folder of the service, in which `migrations` is."""

SCHEMA: Final = "internal"
"""The schema of all tables that belong to features of the service, and not to its domains."""


class UnreadableHistoryError(StartError):
    """The revisions that the service needs cannot be told from their files."""


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
                the folder is nowhere.
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


async def current_revision(connection: AsyncConnection) -> str | None:
    """Return the revision that the schema is at, or None where no migration has run."""
    table = await connection.scalar(text("SELECT to_regclass('alembic_version')::text"))
    if table is None:
        return None
    revision: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision
