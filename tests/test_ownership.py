"""Every file of a service has one owner in docs/template/ownership.md, and updates respect it."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import copier
import pytest
import yaml
from jinja2 import Environment

from extensions.answers import has_file, is_service
from tests.support.files import files
from tests.support.git import commit_all
from tests.support.ownership import lists, matched
from tests.support.rendering import CATALOGUE

NAMES = {
    "orders.settings.Settings",
    "orders.features.FEATURES",
    "orders.routers.ROUTERS",
    "orders.consumers.CONSUMERS",
    "orders.db.metadata",
}
"""Names that the template's code may import from a service's files, as all services have them."""


def test_every_file_is_on_exactly_one_list(service: Path) -> None:
    """Each file matches exactly one list."""
    owned = {owner: matched(patterns, service) for owner, patterns in lists(service).items()}
    paths = [str(path) for path in files(service)]
    owners = {path: [owner for owner in owned if path in owned[owner]] for path in paths}
    assert {path: names for path, names in owners.items() if len(names) != 1} == {}


def test_every_pattern_names_a_file(service: Path) -> None:
    """Every pattern in the lists matches a file of this service."""
    patterns = [pattern for patterns_ in lists(service).values() for pattern in patterns_]
    assert [pattern for pattern in patterns if not matched([pattern], service)] == []


def imported(path: Path, service: Path) -> set[str]:
    """List the absolute names that a module imports."""
    package = path.relative_to(service).parent.parts
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*parents, *([node.module] if node.module else [])])
            names |= {f"{module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def test_the_templates_code_imports_only_known_names_of_a_service(service: Path) -> None:
    """Older services do not have names that a later release adds to their files."""
    patterns = lists(service)
    modules = {
        ".".join(Path(path).with_suffix("").parts).removesuffix(".__init__")
        for owner in ("Yours", "Yours, and new with a feature")
        for path in matched(patterns.get(owner, []), service)
        if path.endswith(".py")
    }
    service_names = {
        name
        for path in matched(patterns["The template's"], service)
        if path.endswith(".py")
        for name in imported(service / path, service)
        if name in modules or name.rpartition(".")[0] in modules
    }
    assert service_names - NAMES == set()
    assert "orders.settings.Settings" in service_names


@pytest.mark.parametrize(
    ("operation", "subfolder", "left_out"),
    [
        ("copy", "new", []),
        ("update", "new", ["Yours"]),
        ("copy", ".", ["Yours", "Yours, and new with a feature"]),
    ],
    ids=["copy", "update", "recopy"],
)
def test_updates_exclude_the_services_own_files(
    service: Path, template: Path, operation: str, subfolder: str, left_out: list[str]
) -> None:
    """Copier.yml excludes exactly the service's own files from updates and recopies."""
    exclude = "\n".join(yaml.safe_load((template / "copier.yml").read_text())["_exclude"])
    environment = Environment(autoescape=False)  # noqa: S701 -- not HTML
    environment.filters["is_service"] = is_service
    if operation == "copy":  # an update also renders the list with the filters of an older release
        environment.filters["has_file"] = has_file
    conf = {"dst_path": service / subfolder, "answers_file": ".copier-answers.yml"}
    patterns = environment.from_string(exclude).render(
        _copier_operation=operation,
        _copier_conf=conf,
        package_name="orders",
        catalogue=CATALOGUE,
    )
    owned = [pattern for owner in left_out for pattern in lists(service).get(owner, [])]
    expected = matched(owned, service) if owned else set()
    assert matched(patterns.splitlines(), service) == expected


def test_a_recopy_keeps_the_services_own_files(template: Path, tmp_path: Path) -> None:
    """It restores the template's files. The service's own files stay changed or deleted."""
    folder = shutil.copytree(template, tmp_path / "template")
    commit_all(folder, tag="v1.0.0")
    service = tmp_path / "orders"
    copier.run_copy(str(folder), service, vcs_ref="v1.0.0", defaults=True, unsafe=True, quiet=True)
    shutil.rmtree(service / "orders/domain/product")
    own_files = ("README.md", "image.sh", "orders/db/__init__.py", "orders/features.py")
    for path in (*own_files, "Makefile"):
        (service / path).write_text("# ours\n")
    copier.run_recopy(service, defaults=True, overwrite=True, unsafe=True, quiet=True)
    assert not (service / "orders/domain/product").exists()
    assert {path: (service / path).read_text() for path in own_files} == dict.fromkeys(
        own_files, "# ours\n"
    )
    assert (service / "Makefile").read_text() != "# ours\n"
    for path in ("image.sh", "orders/features.py"):
        (service / path).unlink()
    copier.run_recopy(service, defaults=True, overwrite=True, unsafe=True, quiet=True)
    assert "FEATURES" in (service / "orders/features.py").read_text()
    assert (service / "image.sh").is_file()
