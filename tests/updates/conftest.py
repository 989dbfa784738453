"""The repository of the template that services are updated from."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.history import Repository, ShallowHistoryError, releases, repository
from tests.repositories import commit_all

if TYPE_CHECKING:
    from pathlib import Path


def pytest_configure() -> None:
    """Refuse to run without a history, once and before anything else."""
    try:
        releases()
    except ShallowHistoryError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.fixture(scope="session", name="history")
def _history(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """All releases so far, and the working tree as the upcoming one; tests only read it."""
    return repository(tmp_path_factory.mktemp("history") / "template")


@pytest.fixture(name="upstream")
def _upstream(template: Path, tmp_path: Path) -> Repository:
    """The working tree as the release v1.0.0, in a repository for one test to make more in."""
    folder = shutil.copytree(template, tmp_path / "upstream")
    commit_all(folder, tag="v1.0.0")
    return Repository(folder)
