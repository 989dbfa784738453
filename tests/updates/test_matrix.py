"""An updated service, of any release and with any features, equals a new service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.combinations import (
    PAIRS,
    THREES,
    Combination,
    all_features_of,
    covering_updates,
)
from tests.support.history import asks, releases
from tests.support.services import Service
from tests.updates.fresh import check_update

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.releases import Repository

THOROUGH = pytest.mark.thorough
RELEASES = releases() or ["v1.0.0"]
ALWAYS = [(release, all_features_of(release, asks)) for release in (RELEASES[0], RELEASES[-1])]
"""Tested on every change, in addition to the updates of `test_toggles.py`."""

PAIRWISE = covering_updates(PAIRS, releases(), asks)
THREEWISE = covering_updates(THREES, releases(), asks)
CASES = [
    # The session `release` runs the others.
    pytest.param(*case, id="-".join(map(str, case)), marks=() if case in ALWAYS else THOROUGH)
    for case in dict.fromkeys([*ALWAYS, *PAIRWISE, *THREEWISE])
]


@pytest.mark.parametrize(("release", "combination"), CASES)
def test_an_update_gives_the_files_of_a_fresh_copy(
    history: Repository, template: Path, tmp_path: Path, release: str, combination: Combination
) -> None:
    """The template's files equal those of a new service, and the service's own do not change.

    There is no conflict, and the answers do not change except for the version and conversions.
    """
    service = Service.copy(history, tmp_path / "orders", release, **combination.answers)
    check_update(service, template, tmp_path / "fresh")
