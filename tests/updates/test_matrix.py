"""From every release, a service with any features updates to what a new one is today."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from migrations.answers import mended
from tests.combinations import COMBINATIONS, Combination
from tests.ownership import YOURS, owned
from tests.releases import Repository, releases, upcoming
from tests.rendering import render
from tests.updates.services import ANSWERS, Service

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("combination", COMBINATIONS, ids=str)
@pytest.mark.parametrize("release", releases())
def test_an_update_gives_what_a_fresh_copy_gives(
    history: Repository, template: Path, tmp_path: Path, release: str, combination: Combination
) -> None:
    """The template's files are those of a new service, the service's own are as they were.

    No conflict arises, and each answer is kept but for the version and declared mendings.
    """
    service = Service.copy(history, tmp_path / "orders", release, **combination.answers)
    first, answers = service.texts, mended(service.answers)

    service.update()

    assert service.conflicts == []
    fresh = Service(render(template, tmp_path / "fresh" / "orders", **public(answers)))
    assert service.answers == fresh.answers | answers | {"_commit": upcoming()}
    yours = owned(service.folder, YOURS)
    kept = {path: text for path, text in first.items() if path in yours}
    new = fresh.texts
    for path in owned(fresh.folder, YOURS):
        del new[path]
    assert service.texts | {ANSWERS: ""} == new | kept | {ANSWERS: ""}


def public(answers: dict[str, object]) -> dict[str, object]:
    """Leave out what copier itself records."""
    return {name: answer for name, answer in answers.items() if not name.startswith("_")}
