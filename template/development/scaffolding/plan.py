"""Decides which files belong to a domain, and so are deleted with it."""

import ast
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from development.project import PACKAGE
from development.scaffolding.names import Names, plural_of
from development.scaffolding.workspace import Workspace

COMPANIONS = {"product": ("statistics", "product_statistics")}
"""Domains and routers that the worked example has beside its own."""


@dataclass
class Removal:
    """What is removed.

    Attributes:
        names: of the domain.
        files: that are deleted, and folders.
        kept: files whose names suggest that they belong to the domain, but that do not use it.
        tables: of its models.
    """

    names: Names
    files: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    tables: set[str] = field(default_factory=set)

    def holds(self, module: str) -> bool:
        """Say whether a module is removed."""
        removed = map(module_of, self.files)
        return any(module == name or module.startswith(f"{name}.") for name in removed)

    def holds_import(self, module: str, name: str) -> bool:
        """Say whether a module is removed, or the name that is imported from it."""
        return self.holds(module) or self.holds(f"{module}.{name}".lstrip("."))


def plan(
    copy: Workspace, names: Names, domains: Collection[str], lists: Collection[str]
) -> Removal:
    """Return what is removed with a domain.

    A test or a companion is removed only if it uses the domain: its name alone proves nothing.
    """
    removal = Removal(names, _modules(copy, names.name, lists))
    companions = COMPANIONS.get(names.name, ())
    _take(copy, removal, [_modules(copy, name, lists) for name in companions])
    other_names = {name for name in domains if not removal.holds(f"{PACKAGE}.domain.{name}")}
    own_names = {names.name, names.plural, *companions}
    tests = [*copy.paths("tests/unit/**/test_*.py"), *copy.paths("tests/integration/**/test_*.py")]
    _take(copy, removal, [[path] for path in tests if _is_named_for(path, own_names, other_names)])
    return removal


def module_of(path: str) -> str:
    """Return the full name of the module in a file, or of the package in a folder."""
    return path.removesuffix(".py").replace("/", ".")


def absolute(origin: str, path: str) -> str:
    """Return the full name of a module that a file imports from."""
    level = len(origin) - len(origin.lstrip("."))
    if not level:
        return origin
    package = path.split("/")[:-level]
    return ".".join([*package, *filter(None, [origin.lstrip(".")])])


def imports(copy: Workspace, path: str) -> Iterator[tuple[int, str, str]]:
    """Give the line of each name that a file imports, its module and the name."""
    for node in ast.walk(ast.parse(copy.read(path))):
        if isinstance(node, ast.ImportFrom):
            module = absolute("." * node.level + (node.module or ""), path)
        elif isinstance(node, ast.Import):
            module = ""
        else:
            continue
        for alias in node.names:
            yield node.lineno, module, alias.name


def address_of(names: Names) -> str:
    """Return a pattern for the URL of a domain, and for those below it."""
    return rf"{re.escape(f'/api/v1/{names.slugs}')}(?![\w-])"


def _modules(copy: Workspace, stem: str, lists: Collection[str]) -> list[str]:
    """Return the folder of a domain, and its modules in the folders with lists of modules."""
    folder = f"{PACKAGE}/domain/{stem}"
    paths = [f"{Path(path).parent}/{stem}.py" for path in lists]
    return [path for path in (folder, *paths) if copy.paths(path) or copy.paths(f"{path}/**/*")]


def _take(copy: Workspace, removal: Removal, groups: Sequence[list[str]]) -> None:
    """Remove the groups of files that use what is removed, until no other group does."""
    while used_groups := [
        group for group in groups if any(_uses(copy, removal, path) for path in group)
    ]:
        removal.files += [path for group in used_groups for path in group]
        groups = [group for group in groups if group not in used_groups]
    removal.kept += [path for group in groups for path in group]


def _uses(copy: Workspace, removal: Removal, place: str) -> bool:
    """Say whether a file, or one in a folder, imports what is removed or calls its URL."""
    for path in copy.paths(place) or copy.paths(f"{place}/**/*.py"):
        if re.search(address_of(removal.names), copy.read(path)):
            return True
        if any(removal.holds_import(module, name) for _, module, name in imports(copy, path)):
            return True
    return False


def _is_named_for(path: str, own_names: Collection[str], other_names: Collection[str]) -> bool:
    """Say whether the name of a test suggests these domains rather than others."""
    stem = Path(path).stem.removeprefix("test_")

    def longest(names: Collection[str]) -> int:
        words = {*names, *map(plural_of, names)}
        return max((len(word) for word in words if f"{stem}_".startswith(f"{word}_")), default=0)

    return longest(own_names) > longest(other_names)
