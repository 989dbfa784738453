"""The files of the migrations, and the files that they depend on."""

import ast
import hashlib
import importlib.metadata
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

FORMAT = "1"
DISTRIBUTIONS = ("alembic", "sqlalchemy", "asyncpg", "alembic-postgresql-enum")

RUNNER = (
    "migrate.py",
    "migration_statements.py",
    "feature_tables.py",
    "revision.py",
)
"""The modules of `internal/database` that run migrations."""


def sources(root: Path, package: str) -> list[Path]:
    """Return the files that the result of the migrations depends on.

    Those are the files below `migrations/`, the histories of features, and the modules of the
    service that its revisions import, directly or not. Of what `env.py` imports only the part that
    runs migrations counts: the models have no say in what a revision does.
    """
    folder = root / "migrations"
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    internal = root / package / "internal"
    runner = [internal / "database" / name for name in RUNNER]
    features = internal.glob("*/*/history/*.py")
    revisions = [path for path in files if path.suffix == ".py" and path.parent != folder]
    imported = _imported(revisions, root, package)
    return sorted({*files, *runner, *features, root / "alembic.ini", *imported})


def digest(files: Iterable[Path], root: Path, *others: str) -> str:
    """Return a digest of the files, of the versions of the migration tools, and of `others`."""
    parts = [FORMAT, *others]
    parts += [f"{name} {importlib.metadata.version(name)}" for name in DISTRIBUTIONS]
    content = hashlib.sha256("\n".join(parts).encode())
    for file in sorted(files):
        content.update(f"\n{os.path.relpath(file, root)}\n".encode())
        content.update(hashlib.sha256(file.read_bytes()).digest())
    return content.hexdigest()[:20]


def _imported(files: Iterable[Path], root: Path, package: str) -> set[Path]:
    """Return the modules of the package that the files import, and what those import."""
    found: set[Path] = set()
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        for module in _names(file, root):
            path = _module_file(module, root) if module.partition(".")[0] == package else None
            if path and path not in found:
                found.add(path)
                waiting.append(path)
    return found


def _names(file: Path, root: Path) -> Iterator[str]:
    """Return the names of all modules that a file may import."""
    here = file.relative_to(root).parts[:-1]
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError:
        return  # running the file will report the error
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*here[: len(here) - node.level + 1]] if node.level else []
            base += node.module.split(".") if node.module else []
            yield ".".join(base)
            yield from (".".join([*base, alias.name]) for alias in node.names)


def _module_file(module: str, root: Path) -> Path | None:
    path = root.joinpath(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.exists()), None)
