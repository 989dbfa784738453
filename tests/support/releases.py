"""Repositories of a template in which tests create releases."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import copier

from tests.support.files import replace
from tests.support.git import commit_all

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAKEFILE = "template/Makefile.jinja"
OLD, NEW, NEWER = "## Remove caches", "## Remove what tools leave behind", "## Tidy up"
FIRST = {MAKEFILE: (OLD, NEW)}
SECOND = {MAKEFILE: (NEW, NEWER)}
"""The changes of the next two releases."""

GREEN, RED = "@echo the tests pass", "@echo the tests fail; exit 1"
SUITE = "$(uv) run pytest -n auto"

KEPT = (
    ".gitignore.jinja",
    "Makefile.jinja",
    "development/__init__.py",
    "development/template.py",
    "development/updating",
    "pyproject.toml.jinja",
    "{{ package_name }}/internal/utils.py",
    "{{ _copier_conf.answers_file }}.jinja",
)
"""The files that a service needs for updates. Fewer files render faster."""


@dataclass(frozen=True)
class Repository:
    """A repository of a template in which a test creates releases."""

    folder: Path

    def release(
        self, tag: str, changes: Mapping[str, tuple[str, str]] | None = None, *, news: str = ""
    ) -> None:
        """Replace text in files, add a section to the changelog, and tag the commit."""
        for path, (old, new) in (changes or {}).items():
            self.replace(path, old, new)
        if news:
            self.write_news(tag, news)
        commit_all(self.folder, tag=tag)

    def replace(self, path: str, old: str, new: str) -> None:
        """Replace text that a file contains exactly once."""
        replace(self.folder / path, old, new)

    def write_news(self, tag: str, news: str) -> None:
        """Add a release's section at the top of the changelog."""
        changelog = self.folder / "CHANGELOG.md"
        head, older_releases = "# Changelog\n\n## Unreleased\n\nNot yet.\n", ""
        if changelog.exists():
            older_releases = changelog.read_text().removeprefix(head)
        changelog.write_text(f"{head}\n## {tag}\n\n{news}\n{older_releases}")

    def service(self, folder: Path, release: str | None = None, **answers: object) -> Path:
        """Make a service from the newest release, or another commit, and commit it."""
        copier.run_copy(
            str(self.folder),
            folder,
            data=answers,
            vcs_ref=release,
            defaults=True,
            unsafe=True,
            quiet=True,
        )
        commit_all(folder)
        return folder


def small_template(template: Path, folder: Path) -> Repository:
    """Release the template files that an update needs, as v1.0.0."""
    shutil.copytree(template, folder, ignore=shutil.ignore_patterns("template"))
    for name in KEPT:
        source, target = template / "template" / name, folder / "template" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)
    repository = Repository(folder)
    repository.release("v1.0.0", news="The first one.")
    return repository
