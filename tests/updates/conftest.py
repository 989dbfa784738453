"""Repositories of the template, from which tests update services."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.files import replace
from tests.support.git import commit_all, git
from tests.support.history import ShallowHistoryError, releases, repository
from tests.support.releases import Repository, small_template

if TYPE_CHECKING:
    from pathlib import Path


def pytest_configure() -> None:
    """Fail early if the clone does not have the template's history."""
    try:
        releases()
    except ShallowHistoryError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.fixture(scope="session", name="history")
def _history(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """All releases, and the working tree as the next one. Tests must not change it."""
    return repository(tmp_path_factory.mktemp("history") / "template")


@pytest.fixture(name="upstream")
def _upstream(template: Path, tmp_path: Path) -> Repository:
    """The working tree as the release v1.0.0, in a repository that a test may change."""
    folder = shutil.copytree(template, tmp_path / "upstream")
    commit_all(folder, tag="v1.0.0")
    return Repository(folder)


@pytest.fixture(scope="session", name="first")
def _first(template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Repository, Path]:
    """A small template with the release v1.0.0, and a service made from it.

    Tests copy them, which is much faster than making them.
    """
    folder = tmp_path_factory.mktemp("first")
    releases = small_template(template, folder / "releases")
    return releases, releases.service(folder / "orders")


@pytest.fixture(name="releases")
def _releases(first: tuple[Repository, Path], tmp_path: Path) -> Repository:
    """A small template with the release v1.0.0, which a test may change."""
    return Repository(shutil.copytree(first[0].folder, tmp_path / "releases", symlinks=True))


@pytest.fixture(name="updatable")
def _updatable(first: tuple[Repository, Path], releases: Repository, tmp_path: Path) -> Path:
    """A small service made from that release, committed."""
    service = shutil.copytree(first[1], tmp_path / "orders", symlinks=True)
    replace(service / ".copier-answers.yml", str(first[0].folder), str(releases.folder))
    git(service, "commit", "--quiet", "--all", "--amend", "--no-edit")
    return service
