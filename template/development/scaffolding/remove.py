"""Removes a domain whole, as one change to review, unless other code still needs it."""

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from development.project import PACKAGE
from development.scaffolding import documents, source
from development.scaffolding.names import Names, plural_of
from development.scaffolding.part import Part, parts
from development.scaffolding.workspace import ScaffoldError, Workspace, indented, workspace

ROUTERS = {f"{PACKAGE}/routers/__init__.py": "ROUTERS"}
SHARED = (f"{PACKAGE}/routers/dependencies.py", "tests/integration/schemas.py")
"""Files with something for each of several domains."""

COMPANIONS = {"product": ("statistics", "product_statistics")}
"""What belongs to a worked example beside its own folder."""

LAST_TEST = '''"""What clients see of the service as a whole."""

from httpx import AsyncClient


async def test_the_interface_is_described(api_client: AsyncClient) -> None:
    """The OpenAPI document is there."""
    response = await api_client.get("/openapi.json")
    assert response.status_code == 200
    assert response.json()["openapi"].startswith("3.")
'''


@dataclass
class Removal:
    """What is removed.

    Attributes:
        names: of the domain.
        domains: its folder in `domain/`, and those of its companions.
        modules: all modules that go, by their full names.
        tables: of its models.
    """

    names: Names
    domains: tuple[str, ...]
    modules: set[str]
    tables: set[str] = field(default_factory=set)

    def holds(self, module: str) -> bool:
        """Say whether a module goes."""
        return any(module == gone or module.startswith(f"{gone}.") for gone in self.modules)


def remove(service: Path, name: str) -> str:
    """Remove a domain, and return what to look at next.

    Raises:
        ScaffoldError: it cannot be removed; nothing was changed.
    """
    folders = {path.name for path in (service / PACKAGE / "domain").glob("*/") if path.is_dir()}
    known = sorted(folders - {"common", "__pycache__"})
    if name not in known:
        raise ScaffoldError(
            f"There is no domain {name!r} in {PACKAGE}/domain. "
            f"The domains are: {', '.join(known) or 'none'}."
        )
    features = parts()
    lists = ROUTERS | {path: name for part in features for path, name in part.lists.items()}
    with workspace(service) as copy:
        removal, files = _plan(copy, name, known, lists)
        for part in features:
            part.remove(copy, removal)
        for path in files:
            copy.delete(path)
        gone = _unregister(copy, removal, lists)
        left = [*_imports(copy, removal, gone)]
        if left:
            raise ScaffoldError(
                f"Other code still uses {name}; change it first:\n" + "\n".join(indented(left))
            )
        documents.remove(copy, removal.names)
        if not copy.paths("tests/integration/test_*.py") + copy.paths("tests/unit/test_*.py"):
            copy.write("tests/integration/test_interface.py", LAST_TEST)
        copy.tidy()
        copy.check_style()
        for part in features:
            part.complete_removal(copy, removal)
        copy.tidy()
        copy.lint()
        mentions = documents.mentions(copy, removal.names)
        changed = copy.carry_over()
    return _next_steps(removal, changed, mentions, features)


def _plan(
    copy: Workspace, name: str, known: Collection[str], lists: Collection[str]
) -> tuple[Removal, list[str]]:
    """Return what goes, and its files."""
    companions = COMPANIONS.get(name, ())
    domains = (name, *(one for one in companions if one in known))
    stems = {name, *companions}
    others = {*known} - {*domains}
    files = [f"{PACKAGE}/domain/{one}" for one in domains]
    modules: set[str] = set()
    found = [path for one in lists for path in copy.paths(f"{Path(one).parent}/*.py")]
    files += [path for path in found if Path(path).stem in stems]
    words = {*stems, *map(plural_of, stems)}
    for path in copy.paths("tests/**/test_*.py"):
        owner = _owner(Path(path).stem.removeprefix("test_"), words, others)
        if owner and path.startswith(("tests/unit/", "tests/integration/")):
            files.append(path)
    modules |= {module_of(path) for path in files}
    return Removal(Names(name, plural_of(name)), domains, modules), files


def module_of(path: str) -> str:
    """Return the full name of the module in a file, or of the package in a folder."""
    return path.removesuffix(".py").replace("/", ".")


def _owner(stem: str, ours: Collection[str], others: Collection[str]) -> bool:
    """Say whether a test is named for what goes rather than for another domain."""

    def longest(words: Collection[str]) -> int:
        found = [word for word in words if stem == word or stem.startswith(f"{word}_")]
        return max(map(len, found), default=0)

    return longest(ours) > longest({*others, *map(plural_of, others)})


def _unregister(copy: Workspace, removal: Removal, lists: Mapping[str, str]) -> dict[str, set[str]]:
    """Take what goes out of the files that list it; return the names that are gone, by module."""
    gone: dict[str, set[str]] = {}
    for path, name in lists.items():
        text = copy.read(path)
        names = _names_from(text, path, removal)
        if names:
            text = source.remove_from_list(text, name, names)
            copy.write(path, source.without_names(text, names)[0])
    for path in SHARED:
        text = copy.read(path)
        names = _names_from(text, path, removal)
        if path.startswith("tests/"):
            names = {f"{removal.names.cls}Schema"}
        if text and names:
            text, more = source.without_names(text, names)
            if source.is_empty(text):
                copy.delete(path)
            else:
                copy.write(path, text)
            gone[module_of(path)] = more | names
    return gone


def _names_from(text: str, path: str, removal: Removal) -> set[str]:
    """Return the names that a file imports from modules that go."""

    def is_gone(origin: str, name: str) -> bool:
        module = _absolute(origin, path)
        return removal.holds(module) or removal.holds(f"{module}.{name}")

    return source.names_imported_from(text, is_gone) if text else set()


def _absolute(origin: str, path: str) -> str:
    """Return the full name of a module that a file imports from."""
    level = len(origin) - len(origin.lstrip("."))
    if not level:
        return origin
    package = path.split("/")[:-level]
    return ".".join([*package, *filter(None, [origin.lstrip(".")])])


def _imports(copy: Workspace, removal: Removal, gone: dict[str, set[str]]) -> Iterator[str]:
    """Give each place that still imports what goes."""
    for path in copy.paths("**/*.py"):
        for node in ast.walk(ast.parse(copy.read(path))):
            if isinstance(node, ast.ImportFrom):
                module = _absolute("." * node.level + (node.module or ""), path)
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.Import):
                module, names = "", [alias.name for alias in node.names]
            else:
                continue
            for name in names:
                whole = f"{module}.{name}".lstrip(".")
                if removal.holds(module) or removal.holds(whole) or name in gone.get(module, ()):
                    yield f"{path}:{node.lineno}: imports {whole}"


def _next_steps(
    removal: Removal, changed: list[str], mentions: list[str], features: Sequence[Part]
) -> str:
    steps = ["make test", "review the change: git diff"]
    if removal.tables:
        steps += [step for part in features for step in part.next_steps[1]]
    lines = [f"The domain {removal.names.name} is removed, and `make lint` passes:"]
    lines += [*indented(changed), "", "Next:", *indented(steps)]
    if mentions:
        lines += ["", "These lines still mention it:", *indented(mentions)]
    return "\n".join(lines)
