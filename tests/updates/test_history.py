"""The tests read the template's releases from the subjects of its commits."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.git import commit_all, git
from tests.support.history import ShallowHistoryError, releases
from tests.support.rendering import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_a_shallow_clone_is_refused(tmp_path: Path) -> None:
    """The message contains the cause and the command to run."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--depth=1", ROOT.as_uri(), clone)
    with pytest.raises(ShallowHistoryError, match="git fetch --unshallow"):
        releases(clone)


def test_releases_are_read_from_whole_subjects(tmp_path: Path) -> None:
    """A subject with anything beside the release does not count. The oldest comes first."""
    subjects = ["release: v1.0.0", "Fix", "release: v1.1", "release: v1.0.1 ", "release: v2.0.0"]
    commit_all(tmp_path)
    for subject in subjects:
        commit_all(tmp_path, subject=subject)
    assert releases(tmp_path) == ["v1.0.0", "v1.0.1", "v2.0.0"]
    subprocess.run([ROOT / ".github/tag-releases"], cwd=tmp_path, check=True)
    assert git(tmp_path, "tag").splitlines() == releases(tmp_path)
