"""Only listed modules use private parts of a library, and that library has an upper bound."""

from __future__ import annotations

import ast
import re
from runpy import run_path
from typing import TYPE_CHECKING

import pytest

from tests.support.rendering import CATALOGUE, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFINED = {
    "uvicorn": ("internal/http/protocol.py", r"uvicorn\.(protocols|lifespan|server|_)"),
    "sqlalchemy": ("internal/database/fair_pool.py", r"sqlalchemy\.(util|.*\._)|_queue_class"),
    "alembic": (
        "internal/database/feature_tables.py",
        r"\._upgrade_revs|opts\.get\(\"fn\"\)|alembic\.script\.revision",
    ),
    "alembic-postgresql-enum": (
        "internal/database/autogenerate.py",
        r"alembic_postgresql_enum\.\w+",
    ),
    "aiokafka": ("internal/kafka/connection.py", r"aiokafka\.partitioner"),
}
"""Libraries, each with the module that uses its internals, and a pattern that matches such uses."""

UNUSED = re.compile(r"fastapi_\w+stack|asyncpg\.(transaction|protocol|connresource)|starlette\._")
"""Internals that no module may use."""

OURS = {"self", "cls"}
NAMED_TUPLES = {"_replace", "_asdict", "_fields", "_make"}


def requirements() -> str:
    """Read the requirements of a service with every feature."""
    common = (ROOT / "template/pyproject.toml.jinja").read_text()
    names = [name for feature in CATALOGUE.values() for name in feature.get("dependencies", {})]
    return common + "\n".join(f'"{name}"' for name in names)


def modules() -> list[Path]:
    """List the Python files of a service, and its templates of Python files."""
    paths = [*ROOT.glob("template/**/*.py"), *ROOT.glob("template/**/*.py.jinja")]
    return [path for path in paths if "updating" not in path.parts]  # the updater has its own tests


def private_uses(path: Path) -> Iterator[str]:
    """Yield each import of a private name, and each private attribute of another object."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            if any(re.match(r"_[a-z]", name) for name in names):
                yield f"line {node.lineno}: imports {'.'.join(names)}"
        elif isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr):
            owner = node.value
            is_ours = isinstance(owner, ast.Name) and owner.id in OURS
            if not is_ours and node.attr not in NAMED_TUPLES and not isinstance(owner, ast.Call):
                yield f"line {node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("path", [p for p in modules() if p.suffix == ".py"], ids=lambda p: p.name)
def test_private_names_of_libraries_are_not_used(path: Path) -> None:
    """A service reads no attribute and imports no name with a leading underscore."""
    if any(str(path).endswith(module) for module, _ in CONFINED.values()):
        return
    own_names = set(
        re.findall(r"\b_[a-z]\w*", "\n".join(re.findall(r"self\._\w+", path.read_text())))
    )
    foreign = [
        use for use in private_uses(path) if not any(use.endswith(f".{name}") for name in own_names)
    ]
    assert foreign == []


@pytest.mark.parametrize("library", CONFINED)
def test_one_module_uses_the_internals_of_a_library(library: str) -> None:
    """The module says in its docstring that it uses the library's internals."""
    module, pattern = CONFINED[library]
    users = {path for path in modules() if re.search(pattern, path.read_text())}
    [user] = users
    assert str(user).endswith(module)


def test_forbidden_internals_are_not_used() -> None:
    """Internals that a public interface replaced are not used again."""
    users = [str(path) for path in modules() if UNUSED.search(path.read_text())]
    assert users == []


@pytest.mark.parametrize("library", CONFINED)
def test_a_library_whose_internals_are_used_has_an_upper_bound(library: str) -> None:
    """A minor version may change the internals. A release of the template raises the bound."""
    assert re.search(rf'"{library}(\[\w+\])?>=[\d.]+,<[\d.]+"', requirements())


def test_the_canary_ignores_every_upper_bound() -> None:
    """The weekly session installs releases that services must not install yet."""
    cap: re.Pattern[str] = run_path(str(ROOT / "noxfile.py"))["CAP"]
    for library in CONFINED:
        lifted = cap.sub(r'\1.dev0"', requirements())
        assert re.search(rf'"{library}(\[\w+\])?>=[\d.]+dev0"', lifted)
