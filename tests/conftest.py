"""Renders that tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.combinations import COMBINATIONS, Combination
from tests.releases import first_release, new_service
from tests.rendering import render, snapshot

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


@pytest.fixture(name="releases")
def _releases(template: Path, tmp_path: Path) -> Path:
    """A repository of the template with the release v1.0.0, to be released anew."""
    return first_release(template, tmp_path / "releases")


@pytest.fixture(name="updatable")
def _updatable(releases: Path, tmp_path: Path) -> Path:
    """A small service made from that release, committed."""
    return new_service(releases, tmp_path / "orders")
