"""Features can be turned on and off in existing services."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from migrations.files import SEEDS
from tests.support.combinations import ALL, Combination, Toggle, covering_toggles
from tests.support.history import asks, releases
from tests.support.ownership import WITH_A_FEATURE, owned
from tests.support.rendering import render
from tests.support.services import Service
from tests.updates.fresh import check_update

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.releases import Repository

THOROUGH = pytest.mark.thorough
EVERYTHING = ALL.answers
SEVERAL = covering_toggles(releases(), asks)
ONE = [
    (release, Combination(features), {feature: turned_on})
    for release in releases()
    for feature in EVERYTHING
    for turned_on, features in ((True, ALL.features - {feature}), (False, ALL.features))
    if turned_on or asks(release, feature)
]
"""The session `release` also runs these."""


def named(toggle: Toggle) -> str:
    """Return an update's name, with its release and the features it turns on and off."""
    release, _, changes = toggle
    return release + "".join(f"{'+' if on else '-'}{name}" for name, on in changes.items())


@pytest.mark.parametrize(
    "toggle",
    [
        *(pytest.param(toggle, id=named(toggle)) for toggle in SEVERAL),
        *(pytest.param(toggle, id=f"{named(toggle)}-alone", marks=THOROUGH) for toggle in ONE),
    ],
)
def test_features_can_be_turned_on_and_off(
    history: Repository, template: Path, tmp_path: Path, toggle: Toggle
) -> None:
    """A new feature is complete. A removed one leaves the service's own files, saved as `.saved`.

    On every change, each feature is turned on, turned off, and left on and off beside others.
    """
    release, before, changes = toggle
    service = Service.copy(history, tmp_path / "orders", release, **before.answers)
    seeds = [seed.format(package_name="orders") for seed in SEEDS]
    texts = service.texts
    fresh = check_update(service, template, tmp_path / "fresh", **changes)
    gone = [path for path in seeds if path in texts and not fresh.has(path)]
    assert {path: service.read(f"{path}.saved") for path in gone} == {
        path: texts[path] for path in gone
    }


def test_edited_files_of_a_removed_feature_are_saved_and_listed(
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


def test_the_saved_seeds_are_those_of_the_ownership_lists(template: Path, tmp_path: Path) -> None:
    """The saved seeds are those in the ownership lists."""
    service = render(template, tmp_path / "orders", **EVERYTHING)
    listed = owned(service, WITH_A_FEATURE)
    of_every_service = {"image.sh", "orders/features.py"}
    assert listed == {path.format(package_name="orders") for path in SEEDS} | of_every_service
