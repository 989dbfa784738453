"""Renders that tests share."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.combinations import COMBINATIONS, Combination
from tests.releases import first_release, new_service
from tests.rendering import render, snapshot
from tests.repositories import git, replace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session", name="template")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as it stands in the working tree."""
    return snapshot(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session", name="combination", params=COMBINATIONS, ids=str)
def _combination(request: pytest.FixtureRequest) -> Combination:
    """Each choice of features in turn."""
    combination: Combination = request.param
    return combination


@pytest.fixture(scope="session", name="service")
def _service(
    template: Path, combination: Combination, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A service with these features, rendered once; tests only read it."""
    destination = tmp_path_factory.mktemp(str(combination)) / "orders"
    return render(template, destination, **combination.answers)


@pytest.fixture(scope="session", name="first")
def _first(template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A repository of the template with the release v1.0.0, and a small service made from it.

    Tests get copies: to make both takes many times as long.
    """
    folder = tmp_path_factory.mktemp("first")
    releases = first_release(template, folder / "releases")
    return releases, new_service(releases, folder / "orders")


@pytest.fixture(name="releases")
def _releases(first: tuple[Path, Path], tmp_path: Path) -> Path:
    """A repository of the template with the release v1.0.0, to be released again."""
    return shutil.copytree(first[0], tmp_path / "releases", symlinks=True)


@pytest.fixture(name="updatable")
def _updatable(first: tuple[Path, Path], releases: Path, tmp_path: Path) -> Path:
    """A small service made from that release, committed."""
    service = shutil.copytree(first[1], tmp_path / "orders", symlinks=True)
    replace(service / ".copier-answers.yml", str(first[0]), str(releases))
    git(service, "commit", "--quiet", "--all", "--amend", "--no-edit")
    return service
