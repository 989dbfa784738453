"""The tests and checks of an updated service pass, whatever release its own files come from."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.support.combinations import COMBINATIONS, Combination
from tests.support.history import releases
from tests.support.processes import make
from tests.support.services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.releases import Repository

FEATURES = ("postgres", "kafka", "healthcheck", "authentication")
OLDEST = (releases() or ["v1.0.0"])[0]
SAMPLE = {"postgres-kafka-healthcheck", "bare"}
CASES = [
    pytest.param(
        release,
        combination,
        id=f"{release}-{combination}",
        marks=[] if release == OLDEST and str(combination) in SAMPLE else [pytest.mark.thorough],
    )
    for release in releases()
    for combination in COMBINATIONS
]
TOGGLES = [
    pytest.param(
        feature,
        before,
        marks=[] if (feature, before) == ("postgres", "bare") else [pytest.mark.thorough],
    )
    for feature in FEATURES
    for before in ("bare", "all")
]


@contextmanager
def outside() -> Iterator[Path]:
    """A folder outside pytest's, which the account of a database may not enter."""
    with TemporaryDirectory(prefix="updated-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.mark.parametrize(("release", "combination"), CASES)
def test_an_updated_service_passes_its_own_tests(
    history: Repository, release: str, combination: Combination
) -> None:
    """What an old release gave for the service to keep works with today's template."""
    with outside() as folder:
        service = Service.copy(history, folder / "orders", release, **combination.answers)
        service.update()
        for target in ("install", "lint", "test"):
            make(service.folder, target)


@pytest.mark.parametrize(("feature", "before"), TOGGLES)
def test_a_service_passes_its_own_tests_with_a_feature_more(
    history: Repository, feature: str, before: str
) -> None:
    """A feature that is turned on later installs, and migrations start clean where it has some."""
    others = dict.fromkeys(FEATURES, before == "all")
    with outside() as folder:
        service = Service.copy(history, folder / "orders", OLDEST, **(others | {feature: False}))
        service.update(**{feature: True})
        assert not service.has("migrations/versions") or before == "all"
        for target in ("install", "lint", "test"):
            make(service.folder, target)
