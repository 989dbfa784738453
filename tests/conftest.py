"""Renders that tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.combinations import CASES, Combination
from tests.support.rendering import render, snapshot

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session", name="template")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template in the working tree."""
    return snapshot(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session", name="combination", params=CASES)
def _combination(request: pytest.FixtureRequest) -> Combination:
    """Parametrize a test with each combination of features."""
    combination: Combination = request.param
    return combination


@pytest.fixture(scope="session", name="service")
def _service(
    template: Path, combination: Combination, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A service with these features, rendered once. Tests must not change it."""
    destination = tmp_path_factory.mktemp(str(combination)) / "orders"
    return render(template, destination, **combination.answers)
