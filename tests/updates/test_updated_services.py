"""The tests and checks of updated services of all releases pass."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.support.combinations import (
    FEATURES,
    PAIRS,
    Combination,
    all_features_of,
    covering_updates,
)
from tests.support.history import asks, releases
from tests.support.processes import make
from tests.support.services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.releases import Repository

OLDEST = (releases() or ["v1.0.0"])[0]
THOROUGH = pytest.mark.thorough
OLDEST_ALL = all_features_of(OLDEST, asks)
CASES = [
    pytest.param(OLDEST, OLDEST_ALL),
    *(
        pytest.param(*case, marks=THOROUGH)
        for case in covering_updates(PAIRS, releases(), asks)
        if case != (OLDEST, OLDEST_ALL)
    ),
]
TOGGLES = [
    pytest.param(feature, before, marks=THOROUGH)
    for feature in FEATURES
    for before in ("bare", "all")
]
"""The session `release` also runs the marked ones."""


@contextmanager
def outside() -> Iterator[Path]:
    """A folder outside pytest's, which the database server's user can read."""
    with TemporaryDirectory(prefix="updated-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.mark.parametrize(("release", "combination"), CASES, ids=str)
def test_an_updated_service_passes_its_own_tests(
    history: Repository, release: str, combination: Combination
) -> None:
    """Seeds of all releases work with the current template."""
    with outside() as folder:
        service = Service.copy(history, folder / "orders", release, **combination.answers)
        service.update()
        for target in ("install", "lint", "test"):
            make(service.folder, target)


@pytest.mark.parametrize(("feature", "before"), TOGGLES)
def test_a_service_passes_its_own_tests_with_an_added_feature(
    history: Repository, feature: str, before: str
) -> None:
    """After a feature is turned on, the service's tests pass."""
    others = dict.fromkeys(FEATURES, before == "all")
    with outside() as folder:
        service = Service.copy(history, folder / "orders", OLDEST, **(others | {feature: False}))
        service.update(**{feature: True})
        assert not service.has("migrations/versions") or before == "all"
        for target in ("install", "lint", "test"):
            make(service.folder, target)
