"""`make domain` and `make domain-remove`: names, fields, edits, and all files or none."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from development.runner import Stopped, stoppable
from development.scaffolding import source
from development.scaffolding import workspace as workspaces
from development.scaffolding.create import create
from development.scaffolding.domain import names_in_use
from development.scaffolding.fields import parse
from development.scaffolding.names import check_free, names_of, plural_of
from development.scaffolding.plan import plan
from development.scaffolding.remove import forget_in_pages, mentions_in_pages, remove
from development.scaffolding.workspace import ScaffoldError, Workspace, workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVICE = Path(__file__).parents[2]
INVOICE = names_of("invoice")


PERSON = {
    "orders/domain/person/__init__.py": '"""People."""\n',
    "orders/domain/person/service.py": '"""Their rules."""\n',
    "orders/routers/person.py": '"""Their endpoints."""\n\nfrom ..domain import person\n',
    "tests/integration/test_persons.py": '"""Persons."""\n\nURL = "/api/v1/persons"\n',
    "tests/integration/test_person_events.py": (
        '"""Events."""\n\nfrom .test_persons import URL\n\n__all__ = ["URL"]\n'
    ),
    "tests/unit/test_person_name_header.py": '"""The header X-Person-Name."""\n',
    "orders/domain/statistics/__init__.py": '"""Statistics of the whole service."""\n',
    "orders/routers/statistics.py": '"""Their endpoints."""\n',
}
"""A domain with an unusual plural, and files that do not belong to a domain despite their names."""
STAYS = {
    "tests/unit/test_person_name_header.py",
    "orders/domain/statistics/__init__.py",
    "orders/routers/statistics.py",
}


@pytest.fixture(autouse=True)
def _stops() -> Iterator[None]:
    """Restore the handlers of signals, as the command does."""
    with stoppable():
        yield


@pytest.fixture(name="repository")
def _repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed copy of the service with the domain `person`."""
    ignored = shutil.ignore_patterns(".*cache", ".venv", ".git", "__pycache__", "inside", "uv.lock")
    folder = shutil.copytree(SERVICE, tmp_path / "service", ignore=ignored)
    for path, text in PERSON.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git(folder, "init", "--quiet")
    commit(folder)
    router = SimpleNamespace(router=SimpleNamespace(prefix="/api/v1/persons"))
    monkeypatch.setitem(sys.modules, "orders.routers.person", router)
    monkeypatch.setattr(Workspace, "lint", Workspace.check_style)
    return folder


def git(folder: Path, *arguments: str) -> str:
    """Run git and return its output."""
    person = ["-c", "user.name=Tests", "-c", "user.email=tests@example.com"]
    command = ["git", *person, *arguments]
    return subprocess.run(  # noqa: S603 - the tests name the arguments
        command, cwd=folder, capture_output=True, text=True, check=True
    ).stdout


def commit(folder: Path) -> None:
    """Commit all files."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=All")


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(name="small")
def _small(tmp_path: Path) -> Path:
    """A folder with two files."""
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "old.txt").write_text("old")
    (folder / "kept.txt").write_text("kept")
    return folder


@pytest.mark.parametrize(
    ("name", "plural"),
    [
        *[("invoice", "invoices"), ("category", "categories"), ("day", "days"), ("box", "boxes")],
        *[("address", "addresses"), ("branch", "branches"), ("person", "people")],
        *[("order_line", "order_lines"), ("cost_analysis", "cost_analyses"), ("bus", "buses")],
    ],
)
def test_a_name_has_its_usual_plural(name: str, plural: str) -> None:
    """Of several words the last one changes."""
    assert plural_of(name) == plural


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("Invoice", "name=invoice"),
        ("orderLine", "name=order_line"),
        ("order-line", "name=order_line"),
        ("", "name=invoice"),
        ("$(touch x)", "name=touch_x"),
        ("../product", "name=product"),
        ("class", "keyword"),
        ("match", "keyword"),
        ("list", "built-in"),
        ("json", "standard library"),
        ("fastapi", "package"),
        ("orders", "package"),
        ("tests", "package"),
        ("session", "its own modules"),
        ("invoices", "plural=invoiceses"),
        ("a" * 31, "at most 30"),
    ],
)
def test_an_invalid_name_is_refused(name: str, advice: str) -> None:
    """The message says what to write instead."""
    with pytest.raises(ScaffoldError, match=r".") as refusal:
        names_of(name)
    assert advice in str(refusal.value)


def test_a_plural_can_be_given() -> None:
    """It is refused if it is the name itself."""
    assert names_of("sheep", "sheep_flock").plural == "sheep_flock"
    with pytest.raises(ScaffoldError, match="must differ"):
        names_of("sheep", "sheep")


@pytest.mark.parametrize(("name", "plural"), [("product", ""), ("products_list", "products")])
def test_a_name_in_use_is_refused(name: str, plural: str) -> None:
    """No other domain may have its name, its plural or its routes."""
    with pytest.raises(ScaffoldError, match=r"already|another"):
        check_free(names_of(name, plural), SERVICE)


@pytest.mark.parametrize(
    ("fields", "advice"),
    [
        ("number", "name:kind"),
        ("number:strr", "The kinds are str"),
        ("number:str:unique:unique", "name:kind"),
        ("a:str a:int", "given twice"),
        ("id:uuid", "every domain has it"),
        ("class:str", "invoice_class"),
        ("model_name:str", "invoice_model_name"),
        ("date:date", "invoice_date"),
        ("invoice:str", "invoice_invoice"),
        ("metadata:str", "invoice_metadata"),
        ("Number:str", "lower-case"),
        ("status:enum", "enum(first,second)"),
        ("status:enum(open)", "two different values"),
        ("status:enum(open,open)", "two different values"),
        ("status:enum(Open,paid)", "'Open'"),
        ("paid:bool:unique", "cannot be unique"),
        ("parent:ref(invoice)", "itself"),
        ("", "at least one field"),
    ],
)
def test_an_invalid_field_is_refused(fields: str, advice: str) -> None:
    """The message says what to write instead."""
    with pytest.raises(ScaffoldError) as refusal:
        parse(fields, INVOICE, {"metadata"})
    assert advice in str(refusal.value)


def test_fields_are_read() -> None:
    """Values of an enum may be surrounded by spaces."""
    fields = parse(
        "number:str:unique  status:enum(in-progress, done)? product:ref(product)", INVOICE
    )
    number, status, product = fields
    assert (number.name, number.is_unique, number.is_optional) == ("number", True, False)
    assert (status.values, status.is_optional) == (("in-progress", "done"), True)
    assert status.members == {"IN_PROGRESS": "in-progress", "DONE": "done"}
    assert product.name == "product_id"


LISTED = '''"""Routers."""

from fastapi import APIRouter

from . import product  # the example

ROUTERS: list[APIRouter] = [
    product.router,  # first
]
'''


def test_a_list_is_edited_in_place() -> None:
    """Comments and other code stay, and removing an item reverts adding it."""
    added = source.add_to_list(LISTED, "ROUTERS", "invoice.router", "routers/__init__.py")
    assert "    product.router,  # first\n    invoice.router,\n]" in added
    assert source.remove_from_list(added, "ROUTERS", {"invoice"}) == LISTED
    assert "[\n    invoice.router,\n]" in source.remove_from_list(added, "ROUTERS", {"product"})


def test_other_code_than_a_list_is_left_alone() -> None:
    """The message has the file and what to write."""
    with pytest.raises(ScaffoldError, match=r"x\.py has no ROUTERS = \[\.\.\.\]"):
        source.add_to_list("ROUTERS = make()\n", "ROUTERS", "invoice.router", "x.py")


def test_definitions_are_removed_with_what_they_use() -> None:
    """A function is removed with an import that it uses, and so is an alias of the function."""
    text = (
        "from .a import Product\nfrom .b import Other, Thing as Item\n\n"
        "def product_service() -> Product: ...\n\nProducts = [product_service]\n\n"
        "def other() -> Other: ...\n"
    )
    kept, gone = source.without_names(text, {"Product", "Item"})
    assert gone == {"product_service", "Products"}
    assert "from .b import Other\n" in kept
    assert "Product" not in kept


def test_pages_lose_references_to_the_example(small: Path) -> None:
    """Commands that call it are removed. Other lines about it are listed."""
    call = "```\ncurl http://x/api/v1/products\n```"
    text = f"Try it, or from a shell:\n\n{call}\n\nA product is sold.\n"
    (small / "README.md").write_text(text)
    (small / "tests").mkdir()
    (small / "tests/open_routes.txt").write_text("GET /api/v1/products\nGET /api/v1/products-x\n")
    with workspace(small) as copy:
        forget_in_pages(copy, names_of("product"))
        assert copy.read("README.md") == "Try it.\n\nA product is sold.\n"
        assert copy.read("tests/open_routes.txt") == "GET /api/v1/products-x\n"
        assert mentions_in_pages(copy, names_of("product")) == ["README.md:3: A product is sold."]


def test_changes_are_copied(small: Path) -> None:
    """New, changed and deleted files are copied, and empty folders are removed."""
    (small / "folder").mkdir()
    (small / "folder/gone.txt").write_text("gone")
    with workspace(small) as copy:
        copy.write("old.txt", "changed")
        copy.write("deep/new.txt", "new")
        copy.delete("folder/gone.txt")
        assert contents(small)["old.txt"] == b"old"
        assert copy.carry_over() == ["deep/new.txt", "folder/gone.txt", "old.txt"]
    assert contents(small) == {"old.txt": b"changed", "kept.txt": b"kept", "deep/new.txt": b"new"}
    assert not (small / "folder").exists()


def test_a_change_that_fails_halfway_is_undone(small: Path) -> None:
    """One of the files cannot be written."""
    before = contents(small)
    with workspace(small) as copy:
        copy.write("kept.txt", "changed")
        copy.write("taken/new.txt", "new")
        (small / "taken").write_text("a file where a folder is wanted")
        copy.write("unmade/new.txt", "new")
        with pytest.raises(FileExistsError, match="taken"):
            copy.carry_over()
    assert contents(small) == {**before, "taken": b"a file where a folder is wanted"}
    assert not (small / "unmade").exists()


@pytest.mark.parametrize("when", ["during the writes", "after them"])
def test_an_interrupt_is_ignored_once_files_are_written(
    small: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C during or after the writes is ignored: `Nothing was changed` would be a lie."""
    put = workspaces._put  # noqa: SLF001 - the moment of a write

    def put_and_interrupt(file: Path, data: bytes | None) -> None:
        put(file, data)
        os.kill(os.getpid(), signal.SIGINT)

    with workspace(small) as copy:
        copy.write("old.txt", "changed")
        copy.write("kept.txt", "changed")
        if when == "during the writes":
            monkeypatch.setattr(workspaces, "_put", put_and_interrupt)
        assert copy.carry_over() == ["kept.txt", "old.txt"]
        os.kill(os.getpid(), signal.SIGINT)
    assert contents(small) == {"old.txt": b"changed", "kept.txt": b"changed"}


def test_files_changed_meanwhile_are_not_overwritten(small: Path) -> None:
    """The message says to run the command again."""
    with workspace(small) as copy:
        copy.write("old.txt", "ours")
        (small / "old.txt").write_text("theirs")
        with pytest.raises(ScaffoldError, match=r"old\.txt was changed meanwhile"):
            copy.carry_over()
    assert (small / "old.txt").read_text() == "theirs"


def fail(_: Workspace) -> None:
    """Report a problem."""
    raise ScaffoldError("`ruff check` failed")


def interrupt(_: Workspace) -> None:
    """Raise what Ctrl-C raises."""
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(
    "change",
    [
        lambda service: create(service, "invoice", "name:str", ""),
        lambda service: remove(service, "product"),
    ],
)
@pytest.mark.parametrize(("problem", "error"), [(fail, ScaffoldError), (interrupt, Stopped)])
def test_all_checks_run_before_any_file_is_written(
    change: Callable[[Path], str],
    problem: Callable[[Workspace], None],
    error: type[BaseException],
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A failing check, or Ctrl-C during the checks, leaves every file unchanged."""
    monkeypatch.setattr(Workspace, "check_style", problem)
    monkeypatch.setattr("development.scaffolding.remove._imports", lambda *_: ())
    with pytest.raises(error, match=r"ruff check|2"):
        change(repository)
    assert git(repository, "status", "--porcelain") == ""


def test_an_unknown_domain_cannot_be_removed() -> None:
    """The message lists the existing domains."""
    with pytest.raises(ScaffoldError, match=r"no domain 'invoice'.*product"):
        remove(SERVICE, "invoice")


def test_a_removal_needs_a_clean_commit(repository: Path) -> None:
    """Git could not restore an uncommitted domain or edit."""
    service = repository / "orders/domain/person/service.py"
    service.write_text("PEOPLE = 7\n")
    with pytest.raises(ScaffoldError, match=r"service\.py\nCommit first"):
        remove(repository, "person")
    git(repository, "rm", "--cached", "--quiet", "-r", "orders/domain/person")
    with pytest.raises(ScaffoldError, match=r"service\.py\nCommit first"):
        remove(repository, "person")
    shutil.rmtree(repository / ".git")
    with pytest.raises(ScaffoldError, match=r"not a git repository"):
        remove(repository, "person")
    assert service.read_text() == "PEOPLE = 7\n"


def test_a_removal_can_be_undone(repository: Path) -> None:
    """The printed commands restore its changes, and keep other edits."""
    mine = repository / "docs/mine.md"
    mine.write_text("An edit of mine.\n")
    report = remove(repository, "person")
    assert git(repository, "status", "--porcelain").count(" D ") == 5
    undo = report.partition("To undo the removal before you commit it:\n")[2].partition("\n\n")[0]
    subprocess.run(undo, shell=True, cwd=repository, check=True)  # noqa: S602 - as a user does
    assert git(repository, "status", "--porcelain") == "?? docs/mine.md\n"


def test_only_files_that_use_a_domain_are_removed(repository: Path) -> None:
    """A test of something else with a similar name stays, and the report lists it."""
    open_routes = repository / "tests/open_routes.txt"
    open_routes.write_text("GET /api/v1/people\nGET /api/v1/persons/{id}\n")
    commit(repository)
    report = remove(repository, "person")
    left = {path for path in PERSON if (repository / path).exists()}
    assert left == STAYS
    assert "stay:\n  tests/unit/test_person_name_header.py" in report
    assert open_routes.read_text() == "GET /api/v1/people\n"


def test_a_domain_named_like_part_of_the_example_stays(repository: Path) -> None:
    """A domain called `statistics` stays when the example is removed."""
    with workspace(repository) as copy:
        known = ("person", "product", "statistics")
        lists = ("orders/routers/__init__.py",)
        removal = plan(copy, names_in_use("product"), known, lists)
        assert "orders/routers/product.py" in removal.files
        assert removal.kept == ["orders/domain/statistics", "orders/routers/statistics.py"]
        copy.write("orders/routers/statistics.py", "from ..domain.product import service\n")
        removal = plan(copy, names_in_use("product"), known, lists)
        assert {"orders/domain/statistics", "orders/routers/statistics.py"} <= {*removal.files}


@pytest.mark.usefixtures("repository")
def test_a_plural_is_read_from_the_routes() -> None:
    """It is the plural given to `make domain`."""
    assert names_in_use("person").plural == "persons"
    assert names_in_use("product").plural == "products"
    assert names_in_use("child").plural == "children"
