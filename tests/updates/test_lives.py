"""A service's own changes survive every update."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.git import commit_all
from tests.support.releases import Repository
from tests.support.services import Service

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = "template/{{ package_name }}"
TEMPLATE_CHANGES = {
    "template/Makefile.jinja": ("## Remove caches", "## Remove what tools leave behind"),
    "template/pyproject.toml.jinja": (
        'readme = "README.md"',
        'readme = "README.md"  # from the release',
    ),
    "template/compose.yaml.jinja": ("stop_grace_period: 30s", "stop_grace_period: 40s"),
    "template/.github/workflows/ci.yml.jinja": ("name: Lint\n", "name: Check style\n"),
    f"{PACKAGE}/internal/config/service_settings.py": (
        'service_version: str = "0.1.0"',
        'service_version: str = "0.2.0"',
    ),
    f"{PACKAGE}/internal/utils.py": ('"""', '"""From the release: '),
    f"{PACKAGE}/domain/common/service_base.py": ('"""', '"""From the release: '),
    f"{PACKAGE}/main.py.jinja": ('"""Puts the', '"""From the release: puts the'),
    "template/docs/template/testing.md.jinja": ("# ", "# From the release: "),
}
"""The next release's changes: old words, which it replaces once in a file, and new ones."""

OWN_FILES = {
    "service.mk": "hello: ## Say hello\n\t@echo hello\n",
    "compose.override.yaml": "services:\n  mailer:\n    image: mailer:1\n",
    ".github/workflows/nightly.yml": "name: Nightly\non: workflow_dispatch\n",
    "migrations/versions/2026_12_01_0900_00__0a1b2c3d4e5f_create_invoices.py": (
        '"""Create invoices."""\n\nrevision = "0a1b2c3d4e5f"\ndown_revision = "5f1d3a7c9e20"\n'
    ),
    "orders/domain/invoice/__init__.py": "",
    "orders/domain/invoice/service.py": (
        "from ..common.service_base import ServiceBase\n\n\nclass InvoiceService(ServiceBase):\n"
        '    """What can be done with invoices."""\n'
    ),
    "README.md": "# All about orders\n",
}
EDITS = {
    "orders/settings.py": ("    service_name", "    invoice_days: int = 30\n    service_name"),
    "orders/db/__init__.py": (
        "metadata = ",
        "from ..domain.invoice.model import Invoice  # ours\n\nmetadata = ",
    ),
    # The remaining edits break the rule: the template owns these files.
    "Makefile": ("-include service.mk", "ours: ## Ours\n\t@echo ours\n\n-include service.mk"),
    "compose.yaml": ("\nvolumes:\n", "\n  cache:\n    image: cache:1\n\nvolumes:\n"),
    ".github/workflows/ci.yml": (
        "- run: make test\n",
        "- run: make test\n      - run: make ours\n",
    ),
    "orders/internal/config/service_settings.py": (
        "\n    @field_validator",
        "    ours_enabled: bool = True\n\n    @field_validator",
    ),
    "orders/internal/utils.py": ("\n\ndef new_id", "\n\nOURS = 1\n\n\ndef new_id"),
}


def first(text: str, old: str, new: str) -> str:
    """Replace the first occurrence of a text, which must exist."""
    assert old in text, f"{old!r} is nowhere"
    return text.replace(old, new, 1)


@pytest.fixture(scope="module", name="upstream")
def _upstream(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Two releases of the template. Tests must not change them."""
    folder = tmp_path_factory.mktemp("lives") / "template"
    shutil.copytree(template, folder)
    commit_all(folder, tag="v1.0.0")
    for path, (old, new) in TEMPLATE_CHANGES.items():
        (folder / path).write_text(first((folder / path).read_text(), old, new))
    commit_all(folder, tag="v1.1.0")
    return Repository(folder)


@pytest.fixture(name="orders")
def _orders(upstream: Repository, tmp_path: Path) -> Service:
    """A service of the first release."""
    return Service.copy(upstream, tmp_path / "orders", "v1.0.0")


def edit(service: Service, changes: dict[str, tuple[str, str]]) -> None:
    """Change files of a service and commit."""
    for path, (old, new) in changes.items():
        service.write(path, first(service.read(path), old, new))
    service.commit()


def test_everything_that_a_service_wrote_stays(orders: Service) -> None:
    """Own files are unchanged, own lines in the template's files stay, and nothing conflicts.

    The release's changes to other lines of the same files arrive.
    """
    for path, text in OWN_FILES.items():
        orders.write(path, text)
    edit(orders, EDITS)
    add = ["uv", "add", "--quiet", "--frozen", "tenacity>=9"]
    subprocess.run(add, cwd=orders.folder, check=True)
    orders.commit()
    before = orders.texts

    orders.update()

    assert orders.conflicts == []
    assert {path: orders.read(path) for path in OWN_FILES} == OWN_FILES
    for path, (_, new) in EDITS.items():
        assert [line for line in new.splitlines() if line not in orders.read(path)] == [], path
    assert orders.read("orders/settings.py") == before["orders/settings.py"]
    assert orders.read("orders/db/__init__.py") == before["orders/db/__init__.py"]
    assert '"tenacity>=9",' in orders.read("pyproject.toml")
    for path, (_, new) in TEMPLATE_CHANGES.items():
        assert new in orders.read(in_a_service(path)), path


def test_conflicts_arise_only_at_lines_that_both_changed(orders: Service) -> None:
    """Conflicts are marked in the file and in git's index. All other changes are merged."""
    conflicting = {
        "Makefile": ("## Remove caches", "## Remove our caches"),
        "orders/main.py": ('"""Puts the', '"""Ours puts the'),
    }
    edit(orders, conflicting | {"orders/internal/utils.py": EDITS["orders/internal/utils.py"]})

    orders.update()

    assert orders.conflicts == sorted(conflicting)
    for path, (_, ours) in conflicting.items():
        text = orders.read(path)
        before, _, after = text.partition("\n=======\n")
        assert ours in before.partition("<<<<<<< before updating\n")[2]
        assert "rom the release" in after or "what tools leave behind" in after
        assert ">>>>>>> after updating\n" in after
    assert "OURS = 1" in orders.read("orders/internal/utils.py")
    assert "From the release" in orders.read("orders/internal/utils.py")


def test_files_that_a_service_deleted_or_moved_do_not_come_back(orders: Service) -> None:
    """Deleted and moved files of the example and of the template do not come back."""
    for path in ("orders/domain/product", "tests/unit", "tests/integration"):
        shutil.rmtree(orders.folder / path)
    (orders.folder / "docs/template/testing.md").unlink()
    moves = {
        "orders/routers/product.py": "orders/routers/goods.py",
        "orders/internal/utils.py": "orders/internal/tools.py",
    }
    for old, new in moves.items():
        orders.git("mv", old, new)
    orders.commit()
    before = orders.texts

    orders.update()

    assert orders.conflicts == []
    assert set(orders.texts) == set(before)
    assert {path: orders.read(path) for path in moves.values()} == {
        path: before[path] for path in moves.values()
    }
    assert "From the release" in orders.read("orders/main.py")


def in_a_service(path: str) -> str:
    """Return the path of a template file in a service."""
    below = path.removeprefix("template/").removesuffix(".jinja")
    return below.replace("{{ package_name }}", "orders")
