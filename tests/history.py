"""The template's releases, as its history tells of them, in repositories that tests may change."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.rendering import ROOT, snapshot
from tests.repositories import commit_all, git, replace

if TYPE_CHECKING:
    from pathlib import Path

RELEASE = re.compile(r"release: (v(\d+)\.(\d+)\.(\d+))")


class ShallowHistoryError(Exception):
    """This check-out lacks the commits that releases are read from."""

    def __init__(self) -> None:
        """Say what to do about it."""
        super().__init__(
            "This is a shallow clone, which lacks the template's releases: git fetch --unshallow"
        )


@dataclass(frozen=True)
class Repository:
    """A repository of the template in which a test makes releases."""

    folder: Path

    def release(self, tag: str, changes: dict[str, tuple[str, str]] | None = None) -> None:
        """Commit all that there is as a release, after changing words in files."""
        for path, (old, new) in (changes or {}).items():
            self.replace(path, old, new)
        commit_all(self.folder, tag=tag)

    def replace(self, path: str, old: str, new: str) -> None:
        """Change a file that holds the old words once."""
        replace(self.folder / path, old, new)


def releases(folder: Path = ROOT) -> list[str]:
    """List the releases in a check-out's history, oldest first.

    Raises:
        ShallowHistoryError: The history does not go back to the first one.
    """
    if git(folder, "rev-parse", "--is-shallow-repository") == "true":
        raise ShallowHistoryError
    subjects = git(folder, "log", "--first-parent", "--reverse", "--format=%s").splitlines()
    return [found[1] for one in subjects if (found := RELEASE.fullmatch(one))]


def asks(release: str, question: str) -> bool:
    """Say whether a release in this check-out's history has a question."""
    commit = git(ROOT, "log", "-1", "--format=%H", f"--grep=^release: {re.escape(release)}$")
    return f"\n{question}:\n" in git(ROOT, "show", f"{commit}:copier.yml")


def upcoming() -> str:
    """Name a release that is later than all in this check-out's history."""
    newest = [0, *(int(name[1:].partition(".")[0]) for name in releases())]
    return f"v{max(newest) + 1}.0.0"


def repository(destination: Path) -> Repository:
    """Clone this check-out with the tags of its releases, and the working tree as the upcoming one.

    The tags follow from the history, as on the hosting side; others are not taken along.
    """
    name = upcoming()
    git(ROOT, "clone", "--quiet", "--no-tags", str(ROOT), str(destination))
    subprocess.run([ROOT / ".github/tag-releases"], cwd=destination, check=True)
    for path in ("extensions", "template", "migrations"):
        shutil.rmtree(destination / path, ignore_errors=True)
    snapshot(destination)
    commit_all(destination, tag=name)
    return Repository(destination)
