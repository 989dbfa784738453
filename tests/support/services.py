"""Services in git repositories that tests update."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import copier

from tests.support.files import files, replace, write
from tests.support.git import commit_all, git, status
from tests.support.rendering import recorded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.releases import Repository

ANSWERS = ".copier-answers.yml"


@dataclass(frozen=True)
class Service:
    """A service in its own git repository."""

    folder: Path

    @classmethod
    def copy(cls, template: Repository, folder: Path, release: str, **answers: object) -> Service:
        """Make a service from a release, with defaults for other answers, and commit it."""
        return cls(template.service(folder, release, **answers))

    @property
    def answers(self) -> dict[str, object]:
        """The answers that the service records."""
        return recorded(self.folder)

    @property
    def texts(self) -> dict[str, str]:
        """All files of the service, without git's own."""
        paths = [path for path in map(str, files(self.folder)) if not path.startswith(".git/")]
        return {path: self.read(path) for path in paths}

    @property
    def conflicts(self) -> list[str]:
        """The files with unresolved conflicts."""
        return self.git("diff", "--name-only", "--diff-filter=U").splitlines()

    @property
    def changes(self) -> str:
        """The changed files, one a line, sorted."""
        return status(self.folder)

    def update(self, release: str | None = None, /, **answers: object) -> None:
        """Update to a release, or to the newest, with these answers changed."""
        copier.run_update(
            self.folder,
            data=answers,
            vcs_ref=release,
            defaults=True,
            overwrite=True,
            unsafe=True,
            quiet=True,
        )

    def commit(self) -> None:
        """Commit everything."""
        commit_all(self.folder)

    def forget_history(self) -> None:
        """Make the service a folder without a repository."""
        shutil.rmtree(self.folder / ".git")

    def git(self, *arguments: str) -> str:
        """Run git in the service and return its output."""
        return git(self.folder, *arguments)

    def read(self, path: str) -> str:
        """Return the text of a file."""
        return (self.folder / path).read_text()

    def has(self, path: str) -> bool:
        """Return whether a file or folder exists."""
        return (self.folder / path).exists()

    def write(self, path: str, text: str) -> None:
        """Write a file, and make its folders."""
        write(self.folder / path, text)

    def replace(self, path: str, old: str, new: str) -> None:
        """Replace text that a file contains exactly once."""
        replace(self.folder / path, old, new)
