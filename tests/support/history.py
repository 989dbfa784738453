"""The template's own releases, read from its history."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING

from tests.support.git import commit_all, git
from tests.support.releases import Repository
from tests.support.rendering import ROOT, snapshot

if TYPE_CHECKING:
    from pathlib import Path

RELEASE = re.compile(r"release: (v(\d+)\.(\d+)\.(\d+))")


class ShallowHistoryError(Exception):
    """This check-out misses the commits of the releases."""

    def __init__(self) -> None:
        """Say what is wrong and what to do."""
        super().__init__(
            "This is a shallow clone, which lacks the template's releases: git fetch --unshallow"
        )


def releases(folder: Path = ROOT) -> list[str]:
    """List the releases in a check-out's history, oldest first.

    Raises:
        ShallowHistoryError: The history does not go back to the first one.
    """
    if git(folder, "rev-parse", "--is-shallow-repository") == "true":
        raise ShallowHistoryError
    subjects = git(folder, "log", "--first-parent", "--reverse", "--format=%s").splitlines()
    return [found[1] for one in subjects if (found := RELEASE.fullmatch(one))]


@cache
def asks(release: str, question: str) -> bool:
    """Return whether a release in this check-out's history has a question."""
    commit = git(ROOT, "log", "-1", "--format=%H", f"--grep=^release: {re.escape(release)}$")
    return f"\n{question}:\n" in git(ROOT, "show", f"{commit}:copier.yml")


def upcoming() -> str:
    """Return a version later than all releases in this check-out's history."""
    newest = [0, *(int(name[1:].partition(".")[0]) for name in releases())]
    return f"v{max(newest) + 1}.0.0"


def repository(destination: Path) -> Repository:
    """Clone this check-out with its releases' tags, and the working tree as the next release.

    The tags are derived from the history, as CI does it. Other tags are not copied.
    """
    name = upcoming()
    git(ROOT, "clone", "--quiet", "--no-tags", str(ROOT), str(destination))
    subprocess.run([ROOT / ".github/tag-releases"], cwd=destination, check=True)
    for path in ("extensions", "template", "migrations"):
        shutil.rmtree(destination / path, ignore_errors=True)
    snapshot(destination)
    commit_all(destination, tag=name)
    return Repository(destination)
