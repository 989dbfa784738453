"""Renamed files and converted answers of released versions work in updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from migrations.answers import convert_answers
from migrations.files import RENAMES
from tests.support.combinations import ALL
from tests.support.history import releases
from tests.support.services import Service
from tests.updates.fresh import check_update

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.releases import Repository

*EARLIER, NEWEST = releases() or ["v1.0.0"]
RELEASES = [*(pytest.param(release, marks=pytest.mark.thorough) for release in EARLIER), NEWEST]
"""The session `release` also runs the marked ones."""

OURS = "# Ours.\n"
PLACES = {"development/updating/bringing.py": 'that this service was never asked."""\n'}


@pytest.mark.parametrize(
    ("old", "new"), [("acme/payments", "@acme/payments"), ("jane", "@jane"), ("", "")]
)
def test_the_single_code_owner_of_v1_1_becomes_the_first_of_several(old: str, new: str) -> None:
    """The answer keeps its meaning under its new name."""
    answers = convert_answers({"code_owner": old})
    assert answers == {"code_owners": new}


@pytest.mark.thorough
def test_the_code_owners_file_equals_that_of_a_new_service(
    history: Repository, template: Path, tmp_path: Path
) -> None:
    """An update from v1.1.0 gives the file of a new service with the converted answer."""
    service = Service.copy(
        history, tmp_path / "orders", "v1.1.0", postgres=False, code_owner="jane"
    )
    check_update(service, template, tmp_path / "fresh")
    assert service.answers["code_owners"] == "@jane"
    assert "code_owner" not in service.answers
    assert service.has(".github/CODEOWNERS")


@pytest.mark.parametrize("release", RELEASES)
def test_edits_of_renamed_files_move_to_their_current_names(
    history: Repository, tmp_path: Path, release: str
) -> None:
    """A service of any release keeps its edits in renamed files."""
    service = Service.copy(history, tmp_path / "orders", release, **ALL.answers)
    names = {
        old.format(package_name="orders"): new.format(package_name="orders")
        for old, new in RENAMES.items()
    }
    renamed = {old: new for old, new in names.items() if service.has(old)}
    for old in renamed:
        place = PLACES.get(old, "\n\n")  # no release changed the lines next to it
        service.write(old, service.read(old).replace(place, f"{place}{OURS}", 1))
    service.commit()
    service.update()
    assert service.conflicts == []
    for old, new in renamed.items():
        assert OURS in service.read(new), new
        assert not service.has(old)
