"""Removes a domain whole, as one change to review, unless other code still needs it."""

import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from development.project import PACKAGE
from development.scaffolding import source
from development.scaffolding.domain import names_in_use
from development.scaffolding.names import Names
from development.scaffolding.part import Part, parts
from development.scaffolding.plan import Removal, absolute, address_of, imports, module_of, plan
from development.scaffolding.workspace import ScaffoldError, Workspace, indented, workspace

ROUTERS = {f"{PACKAGE}/routers/__init__.py": "ROUTERS"}
SHARED = (f"{PACKAGE}/routers/dependencies.py", "tests/integration/schemas.py")
"""Files that several domains share."""

LAST_TEST = '''"""What clients see of the service as a whole."""

from httpx import AsyncClient


async def test_the_interface_is_described(api_client: AsyncClient) -> None:
    """The OpenAPI document is there."""
    response = await api_client.get("/openapi.json")
    assert response.status_code == 200
    assert response.json()["openapi"].startswith("3.")
'''

PAGES = ("*.md", "docs/*.md")
ROUTES = "tests/open_routes.txt"
"""Names routes that need no token, where there is such a list."""

GUIDE = r"\[docs/adding-a-domain.md\]\(docs/adding-a-domain.md\)"
EXAMPLE = (
    (
        rf"`domain/product` is .* to delete:\n({GUIDE} says how to make) one of your own",
        r"\1 a domain",
    ),
    (r" `domain/product` is an example to learn from and to delete\.", ""),
    (r'm="add a colour to products"', 'm="what changes"'),
    (r", and `product` there is the example to copy\. Its modules\nhave", ". Its modules\nhave"),
)
"""What a new service's pages say of the worked example, and what they say without it."""

BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
EMPTY_BLOCK = re.compile(r"(, or from a shell:|:)?\n\n```\n```\n")


def remove(service: Path, name: str) -> str:
    """Remove a domain, and return what to look at next.

    Raises:
        ScaffoldError: it cannot be removed; nothing was changed.
    """
    folders = {path.name for path in (service / PACKAGE / "domain").glob("*/") if path.is_dir()}
    domains = sorted(folders - {"common", "__pycache__"})
    if name not in domains:
        raise ScaffoldError(
            f"There is no domain {name!r} in {PACKAGE}/domain. "
            f"The domains are: {', '.join(domains) or 'none'}."
        )
    features = parts()
    lists = ROUTERS | {path: name for part in features for path, name in part.lists.items()}
    with workspace(service) as copy:
        removal = plan(copy, names_in_use(name), domains, lists)
        for part in features:
            part.remove(copy, removal)
        for path in removal.files:
            copy.delete(path)
        removed_names = _unregister(copy, removal, lists)
        remaining_imports = [*_imports(copy, removal, removed_names)]
        if remaining_imports:
            raise ScaffoldError(
                f"Other code still uses {name}; change it first:\n"
                + "\n".join(indented(remaining_imports))
            )
        forget_in_pages(copy, removal.names)
        if not copy.paths("tests/integration/test_*.py") + copy.paths("tests/unit/test_*.py"):
            copy.write("tests/integration/test_interface.py", LAST_TEST)
        check_committed(copy)
        copy.tidy()
        copy.check_style()
        for part in features:
            part.complete_removal(copy, removal)
        copy.tidy()
        copy.lint()
        mentions = mentions_in_pages(copy, removal.names)
        changed = copy.carry_over()
    name = removal.names.name
    sections = {
        f"The domain {name} is removed, and `make lint` passes:": changed,
        "Next:": _next_steps(removal, features),
        "To undo the removal before you commit it:": undo_commands(copy, changed),
        f"These files are named like {name}, do not use it, and stay:": removal.kept,
        "These lines still mention it:": mentions,
    }
    texts = ["\n".join([title, *indented(lines)]) for title, lines in sections.items() if lines]
    return "\n\n".join(texts)


def _unregister(copy: Workspace, removal: Removal, lists: Mapping[str, str]) -> dict[str, set[str]]:
    """Remove the domain from the files that list it; return the removed names, by module."""
    removed_names: dict[str, set[str]] = {}
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
            removed_names[module_of(path)] = more | names
    return removed_names


def _names_from(text: str, path: str, removal: Removal) -> set[str]:
    """Return the names that a file imports from removed modules."""

    def is_gone(origin: str, name: str) -> bool:
        return removal.holds_import(absolute(origin, path), name)

    return source.names_imported_from(text, is_gone) if text else set()


def _imports(
    copy: Workspace, removal: Removal, removed_names: dict[str, set[str]]
) -> Iterator[str]:
    """Give each place that still imports what is removed."""
    for path in copy.paths("**/*.py"):
        for line, module, name in imports(copy, path):
            if removal.holds_import(module, name) or name in removed_names.get(module, ()):
                yield f"{path}:{line}: imports {f'{module}.{name}'.lstrip('.')}"


def _next_steps(removal: Removal, features: Sequence[Part]) -> list[str]:
    steps = ["make test", "review the change: git diff"]
    if removal.tables:
        steps += [step for part in features for step in part.next_steps[1]]
    return steps


def check_committed(copy: Workspace) -> None:
    """Check that the files that change are committed.

    Raises:
        ScaffoldError: one is not, or has changed since.
    """
    paths = [path for path in copy.changes() if copy.existed(path)]
    if not paths:
        return
    options = ["--porcelain", "--untracked-files=all", "--ignored", "--"]
    command = ["git", "--literal-pathspecs", "status", *options, *paths]
    try:
        done = subprocess.run(
            command, cwd=copy.service, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise _refusal("git cannot be started", [str(error)]) from error
    if done.returncode:
        raise _refusal("git does not know this folder", done.stderr.splitlines())
    if done.stdout:
        changed = [line[3:] for line in done.stdout.splitlines()]
        raise _refusal("These files are new or have changed since the last commit", changed)


def undo_commands(copy: Workspace, changed: Sequence[str]) -> list[str]:
    """Return the shell commands that undo a change."""
    old = [path for path in changed if copy.existed(path)]
    new = [path for path in changed if not copy.existed(path)]
    undo = [["git", "restore", "--", *old], ["rm", "--", *new]]
    return [shlex.join(command) for command, paths in zip(undo, (old, new), strict=True) if paths]


def _refusal(reason: str, details: Sequence[str]) -> ScaffoldError:
    lines = [f"{reason}:", *indented(details)]
    lines += ["Commit first: without a commit, nobody could undo the removal."]
    return ScaffoldError("\n".join(lines))


def forget_in_pages(copy: Workspace, names: Names) -> None:
    """Take the commands that call a domain out of the pages, and what they say of the example."""

    def without_calls(text: str) -> str:
        return re.sub(rf"^.*{address_of(names)}.*\n", "", text, flags=re.MULTILINE)

    if routes := copy.read(ROUTES):
        copy.write(ROUTES, without_calls(routes))
    for path in (path for pattern in PAGES for path in copy.paths(pattern)):
        text = before = copy.read(path)
        text = BLOCK.sub(lambda block: without_calls(block[0]), text)
        text = EMPTY_BLOCK.sub(lambda match: ".\n" if match[1] else "\n", text)
        for old, new in EXAMPLE if names.name == "product" else ():
            text = re.sub(old, new, text)
        if text != before:
            copy.write(path, text)


def mentions_in_pages(copy: Workspace, names: Names) -> list[str]:
    """Return the lines of the pages that still mention a domain."""
    words = {names.name, names.plural, names.human, names.humans, names.slug, names.slugs}
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, sorted(words)))})\b", re.IGNORECASE)
    return [
        f"{path}:{number}: {line.strip()}"
        for path in (path for place in PAGES for path in copy.paths(place))
        for number, line in enumerate(copy.read(path).splitlines(), 1)
        if pattern.search(line)
    ]
