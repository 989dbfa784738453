"""Each kind of addition to a service has its own place, and updates keep it."""

from __future__ import annotations

import re
import shutil
import tomllib
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support.git import commit_all
from tests.support.history import releases
from tests.support.releases import Repository
from tests.support.rendering import render
from tests.support.services import Service
from tests.test_render import ruff

if TYPE_CHECKING:
    from pathlib import Path

OWN = "The service's own"
PROJECT = "pyproject.toml"

FILES: dict[str, dict[str, str]] = {
    "an endpoint": {
        "orders/routers/invoice.py": "from fastapi import APIRouter\n\nrouter = APIRouter()\n"
    },
    "a domain": {"orders/domain/invoice/service.py": '"""What can be done with invoices."""\n'},
    "a larger or smaller body for an endpoint": {
        "orders/routers/upload.py": "from fastapi import APIRouter\n\nrouter = APIRouter()\n"
    },
    "a table": {
        "orders/domain/invoice/model.py": '"""The table of invoices."""\n',
        "migrations/versions/2026_12_01_0900_00__0a1b2c3d4e5f_create_invoices.py": (
            '"""Create invoices."""\n\nrevision = "0a1b2c3d4e5f"\n'
            'down_revision = "8c41e6b2d07f"\nbranch_labels = None\ndepends_on = None\n'
        ),
    },
    "an event that the service publishes": {
        "orders/domain/invoice/events.py": '"""What happens to invoices."""\n'
    },
    "a handler of events": {"orders/consumers/invoice.py": '"""Reacts to invoices."""\n'},
    "a test": {"tests/unit/test_invoice.py": '"""Invoices."""\n'},
    "a make target": {"service.mk": "hello: ## Say hello\n\t@echo hello\n"},
    "a container beside the service, or another option of one": {
        "compose.override.yaml": "services:\n  mailer:\n    image: mailer:1\n"
    },
    "a CI job": {".github/workflows/nightly.yml": "name: Nightly\non: workflow_dispatch\n"},
    "a second database": {
        "migrations/reports/env.py": '"""Alembic runs this file for the reports."""\n',
        "migrations/reports/versions/0001_reports.py": '"""Create reports."""\n',
    },
    "a page": {"docs/invoices.md": "# Invoices\n"},
}
"""Rows of the table for which the service adds a file."""

LINES: dict[str, list[tuple[str, ...]]] = {
    "an endpoint": [("orders/routers/__init__.py", "from . import ", "# and invoice\n")],
    "a resource (an HTTP client, a cache), middleware, a status for your own errors, a command": [
        ("orders/features.py", "FEATURES", "# and rates\n")
    ],
    "a second database": [
        ("orders/features.py", "FEATURES", "# and the archive\n"),
        ("orders/settings.py", "    service_name", '    reports_url: str = ""\n'),
        ("tests/conftest.py", '"""', "# the folder of its migrations\n"),
    ],
    "a readiness probe": [("orders/features.py", "FEATURES", "# and a probe of the bank\n")],
    "a setting": [
        ("orders/settings.py", "    service_name", "    invoice_days: int = 30\n"),
        (".env.example", OWN, "# ORDERS_INVOICE_DAYS=30\n"),
    ],
    "a table": [("orders/db/__init__.py", "from ..domain.common", "# and invoice\n")],
    "a handler of events": [("orders/consumers/__init__.py", "from typing", "# and invoice\n")],
    "a dependency": [(PROJECT, f"{OWN} dependencies", '    "tenacity>=9",\n')],
    "a development tool": [(PROJECT, f"{OWN} development tools", '    "ipython>=9",\n')],
    "a fixture, or another value of one": [("tests/conftest.py", '"""', "# a fixture of ours\n")],
    "a system package or a step in the image": [
        ("image.sh", "set -eu", "apt-get install --yes libmagic1\n")
    ],
    "a file in the image": [(".dockerignore", OWN, "!data\n")],
    "a file that git ignores": [(".gitignore", OWN, "/exports/\n")],
    "a ruff rule that you do without, everywhere or in some files": [
        (PROJECT, "[tool.ruff.lint]", OWN, '    "FIX002",\n'),
        (PROJECT, "[tool.ruff.lint.per-file-ignores]", OWN, '"scripts/**" = ["T201"]\n'),
    ],
    "a library without types": [
        (PROJECT, f"{OWN} overrides", '[[tool.mypy.overrides]]\nmodule = "boto3.*"\n')
    ],
    "a rule about imports": [
        (
            PROJECT,
            f"{OWN} contracts",
            '[[tool.importlinter.contracts]]\nname = "Ours"\ntype = "independence"\nmodules = []\n',
        )
    ],
    "a pytest option or marker": [
        (PROJECT, f"{OWN} options", 'markers = ["slow: takes a minute"]\n')
    ],
    "a dependency that deptry cannot see": [
        (PROJECT, "[tool.deptry.per_rule_ignores]", OWN, '    "gunicorn",\n'),
        (PROJECT, f"{OWN} rules", 'DEP003 = ["anyio"]\n'),
    ],
    "a known vulnerability that does not concern you": [
        (PROJECT, f"{OWN} rules", '\n[tool.uv.audit]\nignore = ["GHSA-ours"]\n')
    ],
}
"""Rows for which the service edits a file: words of lines to find in turn, and lines to add."""

RELEASE: dict[str, dict[str, str]] = {
    PROJECT: {
        f"{OWN} dependencies": '    "release-one>=1",\n',
        f"{OWN} development tools": '    "release-two>=1",\n',
        f"{OWN} options": 'console_output_style = "classic"\n',
        f"{OWN} overrides": '[[tool.mypy.overrides]]\nmodule = "release.*"\n\n',
        f"{OWN} contracts": (
            '[[tool.importlinter.contracts]]\nname = "R"\ntype = "independence"\nmodules = []\n\n'
        ),
        f"{OWN} rules": 'DEP004 = ["release"]\n',
    },
    "Makefile": {"-include service.mk": "release: ## From the release\n\n"},
    "compose.yaml": {"ports:": "    user: 10001:10001\n"},
    "Dockerfile": {"COPY image.sh": "# From the release\n"},
    ".gitignore": {OWN: "/release/\n"},
    ".dockerignore": {OWN: "!release\n"},
    ".env.example": {OWN: "# ORDERS_RELEASE=\n"},
}
"""The line that a later release adds above the first line with these words, by file."""


def table(service: Path) -> dict[str, str]:
    """Read the table of places: the addition, and its place."""
    text = (service / "docs/template/ownership.md").read_text()
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", text, re.MULTILINE)
    return {what: where for what, where in rows if what != "I want to add"}


def insert(text: str, *words: str, new: str, below: bool = True) -> str:
    """Add lines below or above the line with the last words, found after the other words."""
    end = 0
    for word in words:
        start = text.index(word, end)
        end = text.index("\n", start) + 1
    place = end if below else text.rindex("\n", 0, start) + 1
    return text[:place] + new + text[place:]


def add_all(service: Service) -> dict[str, list[str]]:
    """Follow every row of the table, and return the added lines of each file."""
    for contents in FILES.values():
        for path, text in contents.items():
            service.write(path, text)
    written: dict[str, list[str]] = {}
    for edits in LINES.values():
        for path, *words, new in edits:
            service.write(path, insert(service.read(path), *words, new=new))
            written.setdefault(path, []).append(new)
    service.commit()
    return written


@pytest.fixture(scope="module", name="upstream")
def _upstream(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The template as two releases. The second changes lines next to all places."""
    folder = tmp_path_factory.mktemp("places") / "template"
    shutil.copytree(template, folder)
    commit_all(folder, tag="v1.0.0")
    for name, changes in RELEASE.items():
        (path,) = (one for one in (folder / "template").glob(f"{name}*") if one.is_file())
        for word, new in changes.items():
            path.write_text(insert(path.read_text(), word, new=new, below=False))
    commit_all(folder, tag="v1.1.0")
    return Repository(folder)


def test_the_table_has_a_place_for_each_addition(template: Path, tmp_path: Path) -> None:
    """The additions in this module are the table's rows, and each row contains its place."""
    rows = table(render(template, tmp_path / "orders", kafka=True))
    assert set(rows) == {*FILES, *LINES}


def test_an_update_keeps_all_additions(upstream: Repository, tmp_path: Path) -> None:
    """Nothing conflicts. The service's lines stay, and the release's lines arrive."""
    orders = Service.copy(upstream, tmp_path / "orders", "v1.0.0", kafka=True)
    written = add_all(orders)

    orders.update()

    assert orders.conflicts == []
    for contents in FILES.values():
        assert {path: orders.read(path) for path in contents} == contents
    for path, lines in written.items():
        assert [line for line in lines if line not in orders.read(path)] == [], path
    for path, changes in RELEASE.items():
        assert [line for line in changes.values() if line not in orders.read(path)] == [], path
    tomllib.loads(orders.read(PROJECT))
    yaml.safe_load(orders.read("compose.yaml"))


OLDEST, *LATER_RELEASES = releases()
EARLIER_RELEASES = [
    OLDEST,
    *(pytest.param(release, marks=pytest.mark.thorough) for release in LATER_RELEASES),
]

EARLIER: dict[str, list[tuple[tuple[str, ...], str]]] = {
    PROJECT: [
        (("UP047",), '    "FIX002",\n'),
        (("[tool.ruff.lint.per-file-ignores]", "# Alembic", "]"), '"scripts/**" = ["T201"]\n'),
        (("cache_dir",), 'markers = ["slow: takes a minute"]\n'),
        (("allow_indirect_imports",), '\n[[tool.importlinter.contracts]]\nname = "Ours"\n'),
        (("DEP002", "]\n"), 'DEP003 = ["anyio"]\n'),
        (('disable_error_code = ["attr-defined"]',), "warn_unused_ignores = false\n"),
    ],
    ".gitignore": [((".DS_Store",), "/exports/\n")],
    ".dockerignore": [(("__pycache__",), "!data\n")],
}
"""Places in services of earlier releases, at the ends of lists: words to find, and lines."""


@pytest.mark.parametrize("release", EARLIER_RELEASES)
def test_lines_of_older_services_stay_beside_the_new_comments(
    history: Repository, tmp_path: Path, release: str
) -> None:
    """An older service with lines where the new comments go keeps them and gets the comments."""
    orders = Service.copy(history, tmp_path / "orders", release)
    for path, edits in EARLIER.items():
        for words, new in edits:
            orders.write(path, insert(orders.read(path), *words, new=new))
    orders.commit()

    orders.update()

    assert orders.conflicts == []
    for path, edits in EARLIER.items():
        text = orders.read(path)
        assert [new for _, new in edits if new not in text] == [], path
        assert OWN in text
    tomllib.loads(orders.read(PROJECT))
    assert {"image.sh", "orders/features.py"} <= set(orders.texts)
    assert ruff("check", folder=orders.folder) == ""
