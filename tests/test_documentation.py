"""Names in the documentation exist, and its tables agree with the code."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.support.combinations import Combination
from tests.support.rendering import ROOT, recorded, render

REFERENCE = "docs/reference.md"
DECISIONS = ROOT / "docs/decisions"

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", flags=re.MULTILINE)
FENCED = re.compile(r"^```.*?^```$", flags=re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
TARGET = re.compile(r"^([\w-]+):", flags=re.MULTILINE)
MAKE = re.compile(r"\bmake(?: -C \S+)? ([a-z][a-z-]*)(?![\w-])")
NOX = re.compile(r"\bnox -s ([a-z_]+)(?: -- ([\w-]+))?")
PATH = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*/?")
CHECK = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
SUFFIXES = {".example", ".ini", ".mako", ".md", ".py", ".sql", ".toml", ".yaml", ".yml"}

MADE_LATER = {".env", ".postgres/", ".venv/", "compose.override.yaml", "service.mk", "uv.lock"}
"""Paths that no render contains, because developers or their commands create them."""

IN_WORDS = {"DATABASE_URL", "DATABASE_READ_URL", "SERVICE_NAME"}
"""Settings whose values in `.env.example` are not defaults of every service."""


@dataclass(frozen=True)
class Page:
    """A page of the documentation."""

    path: Path

    @property
    def text(self) -> str:
        """The whole text."""
        return (ROOT / self.path).read_text()

    @property
    def prose(self) -> str:
        """The text without code blocks."""
        return FENCED.sub("", self.text)

    @property
    def commands(self) -> str:
        """The commands in the text."""
        return "\n".join([*CODE.findall(self.prose), *FENCED.findall(self.text)])

    @property
    def paths(self) -> list[str]:
        """The paths in the prose, without those that are created later."""
        paths_ = [code for code in CODE.findall(self.prose) if PATH.fullmatch(code)]
        named = [code for code in paths_ if code.endswith("/") or Path(code).suffix in SUFFIXES]
        return [code for code in named if code not in MADE_LATER]

    def __str__(self) -> str:
        """The path that pytest shows."""
        return str(self.path)


PAGES = [
    Page(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md", "tests/**/*.md")
    for path in sorted(ROOT.glob(pattern))
]


@pytest.fixture(name="page", params=PAGES, ids=str)
def _page(request: pytest.FixtureRequest) -> Page:
    """Parametrize a test with each page."""
    page: Page = request.param
    return page


@pytest.fixture(scope="session", name="orders")
def _orders(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service called orders with every feature, as in the documentation."""
    return render(
        template, tmp_path_factory.mktemp("documented") / "orders", kafka=True, authentication=True
    )


def anchors(path: Path) -> set[str]:
    """Return a page's headings as anchors in links."""
    headings = HEADING.findall(FENCED.sub("", path.read_text()))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table(page: str, first: str) -> dict[str, list[str]]:
    """Read the table with this first column. Keys are the code in the first cells."""
    tables = re.findall(
        rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", (ROOT / page).read_text(), re.MULTILINE
    )
    assert len(tables) == 1
    rows = [[cell.strip() for cell in line.split(" | ")] for line in tables[0].splitlines()]
    return {name: cells for head, *cells in rows for name in CODE.findall(head)}


def questions() -> list[str]:
    """List the questions of copier.yml in their order."""
    content = yaml.safe_load((ROOT / "copier.yml").read_text())
    return [
        name
        for name, question in content.items()
        if isinstance(question, dict) and "help" in question
    ]


def functions(path: Path) -> set[str]:
    """List the top-level functions of a module."""
    tree = ast.parse(path.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, kinds)}


def exists(path: str, page: Page, service: Path) -> bool:
    """Return whether a path exists here, beside the page, or in any folder of a service."""
    pattern = path.removeprefix("../").removeprefix("orders/").rstrip("/")
    folders = [path_ for path_ in service.rglob("*") if path_.is_dir()]
    places = [ROOT, (ROOT / page.path).parent, service, *folders]
    return any(next(place.glob(pattern), None) for place in places)


def test_every_link_has_a_target(page: Page) -> None:
    """The file of a relative link exists, and contains the heading in the link."""
    broken_links = []
    for link in LINK.findall(page.prose):
        if re.match(r"https?:", link):
            continue
        name, _, heading = link.partition("#")
        target = (ROOT / page.path).parent / name if name else ROOT / page.path
        if not target.exists() or (heading and heading not in anchors(target)):
            broken_links.append(link)
    assert broken_links == []


def test_every_make_target_exists(page: Page, orders: Path) -> None:
    """Every make target on the page exists in a service's Makefile."""
    targets = set(TARGET.findall((orders / "Makefile").read_text()))
    assert set(MAKE.findall(page.commands)) - targets == set()


def test_every_nox_session_exists(page: Page) -> None:
    """The sessions of nox on the page exist, and so do the services they make."""
    named = NOX.findall(page.text)
    assert {session for session, _ in named} - functions(ROOT / "noxfile.py") == set()
    services = [features for session, features in named if session == "service" and features]
    assert [str(Combination.named(features)) for features in services] == services


def test_every_path_exists(page: Page, orders: Path) -> None:
    """Paths exist here or in a service. A changelog may also contain former paths."""
    if page.path == Path("CHANGELOG.md"):
        return
    assert [path for path in page.paths if not exists(path, page, orders)] == []


@pytest.mark.parametrize(
    ("page", "first"), [("README.md", "Question"), (REFERENCE, "question")], ids=str
)
def test_the_tables_of_questions_are_complete(page: str, first: str) -> None:
    """A table of questions contains all questions in the order of copier.yml."""
    assert list(table(page, first)) == questions()


def test_the_documented_defaults_are_those_of_a_copy(template: Path, tmp_path: Path) -> None:
    """The reference shows the answers of a copy that has only a folder name."""
    answers = recorded(render(template, tmp_path / "orders"))
    documented = {
        name: yaml.safe_load(CODE.findall(cells[-1])[0]) for name, cells in asked().items()
    }
    assert {name: str(default) for name, default in documented.items()} == {
        name: str(answers[name]) for name in questions()
    }


def asked() -> dict[str, list[str]]:
    """Read the reference's table of questions."""
    return table(REFERENCE, "question")


def test_the_documented_make_targets_are_those_of_a_service(orders: Path) -> None:
    """The reference lists all targets of `make` in its order."""
    targets = re.findall(r"^([\w-]+):.*## ", (orders / "Makefile").read_text(), re.MULTILINE)
    assert [MAKE.findall(row)[0] for row in table(REFERENCE, "target") if row != "make"] == targets


def test_the_documented_sessions_are_those_of_nox() -> None:
    """The reference lists each session, and says which sessions `nox` runs by default."""
    tree = ast.parse((ROOT / "noxfile.py").read_text())
    code = {
        node.name: "no" if "default=False" in ast.unparse(node) else "yes"
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any("nox.session" in ast.unparse(decorator) for decorator in node.decorator_list)
    }
    rows = table(REFERENCE, "session").items()
    assert {NOX.findall(name)[0][0]: cells[-1].strip("| ") for name, cells in rows} == code


def test_the_documented_settings_are_those_of_a_service(orders: Path) -> None:
    """The reference lists the settings of `.env.example` in its order."""
    example = re.findall(
        r"^# ORDERS_(\w+)=(.*)$", (orders / ".env.example").read_text(), re.MULTILINE
    )
    documented = {
        name: CODE.findall(cells[0]) for name, cells in table(REFERENCE, "setting").items()
    }
    assert list(documented) == [name for name, _ in example]
    documented_defaults = [
        (name, "".join(default)) for name, default in documented.items() if name not in IN_WORDS
    ]
    assert documented_defaults == [
        (name, default) for name, default in example if name not in IN_WORDS
    ]


def test_every_decision_is_in_the_index() -> None:
    """The index lists all decisions, each with its title and its one-sentence summary."""
    rows = re.findall(
        r"^\| \[(\d{4})\]\(([\w.-]+)\) \| (.+) \| (.+) \|$",
        (DECISIONS / "README.md").read_text(),
        re.MULTILINE,
    )
    assert [name for _, name, *_ in rows] == [page.name for page in sorted(DECISIONS.glob("0*.md"))]
    for number, name, title, sentence in rows:
        text = (DECISIONS / name).read_text()
        quoted = re.findall(r"^> (.+)$", text, re.MULTILINE)
        assert text.startswith(f"# {number}. {title}\n")
        assert " ".join(quoted) == sentence
        assert HEADING.findall(text)[1:] == ["Context", "Consequences", "Check"]


@pytest.mark.parametrize("path", sorted(DECISIONS.glob("0*.md")), ids=lambda path: path.stem)
def test_the_checks_of_a_decision_exist(path: Path) -> None:
    """The tests and checks that a decision names exist."""
    checks = CHECK.findall(path.read_text())
    assert checks
    assert [f"{file}::{test}" for file, test in checks if test not in functions(ROOT / file)] == []
