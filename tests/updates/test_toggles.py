"""Features can be turned on and off in existing services."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from migrations.files import SEEDS
from tests.support.combinations import ALL, COMBINATIONS
from tests.support.history import asks, releases
from tests.support.ownership import WITH_A_FEATURE, owned
from tests.support.rendering import render
from tests.support.services import Service
from tests.updates.fresh import check_update

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.releases import Repository

EVERYTHING = ALL.answers


def first_with(feature: str) -> str:
    """Return the first release that has a feature."""
    return next(one for one in releases() if asks(one, feature))


OLDEST, *LATER = releases() or ["v1.0.0"]
RELEASES = [OLDEST, *(pytest.param(one, marks=pytest.mark.thorough) for one in LATER)]
"""The oldest has the longest way to go; the others' are left to the session `release`."""


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("feature", EVERYTHING)
def test_a_feature_that_is_turned_on_is_as_in_a_new_service(
    history: Repository, template: Path, tmp_path: Path, release: str, feature: str
) -> None:
    """The template's files of the feature are added, and the service's files do not change."""
    before = EVERYTHING | {feature: False}
    service = Service.copy(history, tmp_path / "orders", release, **before)
    check_update(service, template, tmp_path / "fresh", **{feature: True})


OFF = [
    pytest.param(
        release, feature, marks=[] if release == first_with(feature) else [pytest.mark.thorough]
    )
    for feature in EVERYTHING
    for release in releases()
    if asks(release, feature)
]
"""The first release with a feature has the longest way to go."""


@pytest.mark.parametrize(("release", "feature"), OFF)
def test_a_feature_that_is_turned_off_takes_only_the_templates_files(
    history: Repository, template: Path, tmp_path: Path, release: str, feature: str
) -> None:
    """The service's own files stay, and seeds of the feature are saved."""
    service = Service.copy(history, tmp_path / "orders", release, **EVERYTHING)
    seeds = [seed.format(package_name="orders") for seed in SEEDS]
    before = service.texts
    fresh = check_update(service, template, tmp_path / "fresh", **{feature: False})
    gone = [path for path in seeds if path in before and not fresh.has(path)]
    assert {path: service.read(f"{path}.saved") for path in gone} == {
        path: before[path] for path in gone
    }


def test_edited_files_of_a_feature_that_is_turned_off_are_saved_and_named(
    upstream: Repository, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Edited files of the feature are saved, and the update lists them."""
    service = Service.copy(upstream, tmp_path / "orders", "v1.0.0", **EVERYTHING)
    edited = "orders/internal/kafka/tools.py"
    added = "orders/internal/kafka/ours.py"
    consumers = "orders/consumers/__init__.py"
    for path in (edited, consumers):
        service.write(path, service.read(path) + "\nOURS = 1\n")
    service.write(added, "OURS = 2\n")
    service.write(f"{edited}.saved", "an older one\n")
    service.commit()
    service.update("v1.0.0", kafka=False)
    said = capfd.readouterr().out.splitlines()
    assert service.conflicts == []
    assert service.read(added) == "OURS = 2\n"
    assert service.read(f"{edited}.saved") == "an older one\n"
    for path, kept in {edited: f"{edited}.saved2", consumers: f"{consumers}.saved"}.items():
        assert not service.has(path)
        assert service.read(kept).endswith("\nOURS = 1\n")
        assert f"Saved {path} as {kept}: the template no longer has this file." in said
    assert [line for line in said if line.startswith("Saved")][2:] == []
    assert not service.has("orders/internal/kafka/producer_base.py")
    broken = "orders/domain/product/events.py imports the deleted orders.internal.kafka"
    assert f"{broken}: change or delete this file." in said


def test_the_seeds_are_those_of_the_ownership_lists(template: Path, tmp_path: Path) -> None:
    """The saved seeds are those in the ownership lists."""
    listed: set[str] = set()
    for one in COMBINATIONS:
        service = render(template, tmp_path / str(one) / "orders", **one.answers)
        listed |= owned(service, WITH_A_FEATURE)
    assert listed - {"image.sh"} == {path.format(package_name="orders") for path in SEEDS}
