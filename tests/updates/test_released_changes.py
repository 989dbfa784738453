"""Renamed files and converted answers of released versions work in updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from migrations.files import RENAMES
from tests.support.git import git
from tests.support.history import releases
from tests.support.services import Service
from tests.updates.fresh import check_update

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.releases import Repository

OURS = "# Ours.\n"
PLACES = {"development/updating/bringing.py": 'that this service was never asked."""\n'}


@pytest.mark.parametrize(
    ("old", "new"), [("acme/payments", "@acme/payments"), ("jane", "@jane"), ("", "")]
)
def test_the_one_code_owner_is_the_first_of_several(
    history: Repository, template: Path, tmp_path: Path, old: str, new: str
) -> None:
    """The answer of v1.1.0 is converted, and CODEOWNERS is the same as in a new service."""
    service = Service.copy(history, tmp_path / "orders", "v1.1.0", postgres=False, code_owner=old)
    check_update(service, template, tmp_path / "fresh")
    assert service.answers["code_owners"] == new
    assert "code_owner" not in service.answers
    assert service.has(".github/CODEOWNERS") == bool(new)


@pytest.mark.parametrize(("old", "new"), RENAMES.items(), ids=str)
def test_edits_of_a_file_are_found_under_its_name_of_today(
    history: Repository, tmp_path: Path, old: str, new: str
) -> None:
    """Edits in a renamed file are found under its current name."""
    release = first_with(history, old)
    service = Service.copy(history, tmp_path / "orders", release, kafka=True)
    before, after = (path.format(package_name="orders") for path in (old, new))
    place = PLACES.get(before, "\n\n")
    service.write(before, service.read(before).replace(place, f"{place}{OURS}", 1))
    service.commit()
    service.update()
    assert service.conflicts == []
    assert OURS in service.read(after)
    assert not service.has(before)


def first_with(history: Repository, path: str) -> str:
    """Return the first release that has a file of the template."""
    name = path.rpartition("/")[2]
    listed = ("ls-tree", "-r", "--name-only")
    return next(one for one in releases() if f"/{name}" in git(history.folder, *listed, one))
