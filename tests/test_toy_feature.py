"""A new feature needs one folder, and one entry of the catalogue with its question."""

from __future__ import annotations

import re
import shutil
import tomllib
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support.files import files
from tests.support.ownership import lists, matched
from tests.support.rendering import CATALOGUE, render
from tests.support.toy import FILES, add_toy_feature
from tests.test_render import ruff

if TYPE_CHECKING:
    from pathlib import Path

PARTS = {
    "Makefile",
    "compose.yaml",
    "env.example",
    "mypy_overrides.toml",
    "ownership_rows.md",
    "per_file_ignores.toml",
    "testing.md",
    "testing_fixtures.md",
}
"""The fragments of shared files that a feature's folder can contain."""

WITHOUT = dict.fromkeys(CATALOGUE, False)


@pytest.fixture(scope="module", name="extended")
def _extended(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template with the toy feature."""
    extended = shutil.copytree(template, tmp_path_factory.mktemp("extended") / "template")
    add_toy_feature(extended)
    return extended


@pytest.fixture(scope="module", name="toy")
def _toy(extended: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service with only the toy feature."""
    folder = tmp_path_factory.mktemp("toy") / "orders"
    return render(extended, folder, **{**WITHOUT, "vault": True})


def test_every_part_of_a_feature_is_rendered(toy: Path) -> None:
    """The service has its files, dependency, container, setting, target and page."""
    for name in FILES:
        if not name.startswith("{#"):
            path = name.replace("{{ package_name }}", "orders").removesuffix(".jinja")
            assert (toy / path).is_file(), path
    project = tomllib.loads((toy / "pyproject.toml").read_text())
    assert "itsdangerous>=2.2" in project["project"]["dependencies"]
    compose = yaml.safe_load((toy / "compose.yaml").read_text())
    assert compose["services"]["vault"]["image"] == "hashicorp/vault:1.20"
    assert compose["services"]["service"]["depends_on"] == {
        "vault": {"condition": "service_started"}
    }
    assert compose["services"]["service"]["environment"]["VAULT_URL"] == "http://vault:8200"
    assert compose["volumes"] == {"vault": None}
    for path, text in {
        "Makefile": "\nseal: ## Show what the vault does\n",
        ".env.example": "\n# ORDERS_VAULT_URL=\n",
        ".gitignore": "\n.vault/\n",
        "docs/template/ownership.md": "\n| a secret | the vault |\n",
        "orders/internal/lifespan.py": "vault.FEATURE",
        "orders/internal/config/settings_base.py": "VaultSettings",
        "development/project.py": "vault.BACKING",
        "tests/harness/__init__.py": "tests.harness.vault",
        "tests/harness/application.py": "vault_settings",
        ".copier-answers.yml": "vault: true\n",
    }.items():
        assert text in (toy / path).read_text(), path


def test_every_file_of_a_new_feature_has_one_owner(toy: Path) -> None:
    """The lists in docs/template/ownership.md cover its files."""
    owned = {owner: matched(patterns, toy) for owner, patterns in lists(toy).items()}
    owners = {
        str(path): [owner_ for owner_ in owned if str(path) in owned[owner_]] for path in files(toy)
    }
    assert {path: names for path, names in owners.items() if len(names) != 1} == {}
    assert owners["tests/vault/test_vault.py"] == ["The template's"]


def test_a_new_feature_keeps_the_code_formatted(toy: Path) -> None:
    """Loops over the catalogue render formatted code."""
    assert ruff("format", "--diff", folder=toy) == ""
    assert ruff("check", folder=toy) == ""


def test_a_service_without_a_new_feature_has_no_trace_of_it(
    template: Path, extended: Path, tmp_path: Path
) -> None:
    """It equals a service of the template without the feature, except for the answers file."""
    before = render(template, tmp_path / "before/orders", **WITHOUT)
    after = render(extended, tmp_path / "after/orders", **WITHOUT)
    assert files(before) == files(after)
    changed = [
        str(path)
        for path in files(before)
        if (before / path).read_bytes() != (after / path).read_bytes()
    ]
    assert changed == [".copier-answers.yml"]


def test_every_part_of_a_feature_is_included_somewhere(template: Path) -> None:
    """A misspelled fragment would silently be left out of the service."""
    paths = (template / "template").glob("{% if *%}.{% endif %}/{# parts #}/*")
    names = {path.name.removesuffix(".jinja") for path in paths}
    texts = "".join(
        path.read_text() for path in (template / "template").rglob("*.jinja") if path.is_file()
    )
    included = set(
        re.findall(r'\{% include feature \| part\("([^"]+)"\) ignore missing %\}', texts)
    )
    assert names <= included == PARTS
