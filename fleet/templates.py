"""The template's history, cloned once for all its services."""

from __future__ import annotations

import fcntl
import re
import shutil
from dataclasses import dataclass
from functools import total_ordering
from hashlib import sha256
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from .git import GitError, git
from .places import expand

if TYPE_CHECKING:
    from pathlib import Path

AFTER_A_RELEASE = re.compile(r"(?P<release>.+)-(?P<commits>\d+)-g[0-9a-f]+")


class TemplateError(Exception):
    """A template that cannot be fetched, or that does not have a requested release."""


@total_ordering
@dataclass(frozen=True)
class Position:
    """The position of a commit: a release, or a number of commits after it."""

    release: Version
    commits: int = 0

    def __lt__(self, other: Position) -> bool:
        """Return whether this position is before another."""
        return (self.release, self.commits) < (other.release, other.commits)


@dataclass(frozen=True)
class Template:
    """A bare clone of a template."""

    folder: Path

    def commit(self, name: str) -> str | None:
        """Return the commit of a tag, branch, description or hash; None if there is none."""
        arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        try:
            return git(*arguments, cwd=self.folder).strip()
        except GitError:
            return None

    def releases(self) -> list[str]:
        """Return the tags of releases without pre-releases, newest last."""
        versions = {tag: version(tag) for tag in git("tag", "--list", cwd=self.folder).split()}
        releases = {
            tag: version_
            for tag, version_ in versions.items()
            if version_ and not version_.is_prerelease
        }
        return sorted(releases, key=lambda tag: releases[tag])

    def position(self, commit: str) -> Position:
        """Return a commit's position. A commit before the first release is before all releases."""
        arguments = ("describe", "--tags", "--match", "*[0-9]*", "--always", commit)
        description = git(*arguments, cwd=self.folder).strip()
        if after := AFTER_A_RELEASE.fullmatch(description):
            return Position(version(after["release"]) or Version("0"), int(after["commits"]))
        return Position(version(description) or Version("0"))

    def between(self, old: str, new: str) -> list[str]:
        """Return the releases between two commits, newest last."""
        start, end = self.position(old), self.position(new)
        return [release for release in self.releases() if start < Position(Version(release)) <= end]


def version(tag: str) -> Version | None:
    """Parse a tag as a version; None if it is not one."""
    try:
        return Version(tag)
    except InvalidVersion:
        return None


def fetch(source: str, folder: Path, limit: float) -> Template:
    """Return a clone of the template in `folder`. Only one of several processes creates it.

    Raises:
        TemplateError: cloning failed or took longer than `limit` seconds, in any of the processes.
    """
    name = sha256(source.encode()).hexdigest()[:16]
    clone, failure = folder / f"{name}.git", folder / f"{name}.failure"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not clone.exists() and not failure.exists():
            partial = folder / f"{name}.begun"
            shutil.rmtree(partial, ignore_errors=True)  # left by a killed process
            try:
                options = ("--bare", "--no-hardlinks", "--quiet", "--")
                git("clone", *options, expand(source), partial, limit=limit)
                partial.rename(clone)
            except GitError as error:
                failure.write_text(str(error), encoding="utf-8")
    if failure.exists():
        reason = failure.read_text(encoding="utf-8")
        raise TemplateError(f"its template, {source}, cannot be fetched: {reason}")
    return Template(clone)
