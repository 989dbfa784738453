"""The template's releases, their lines of its changelog, and how this service compares."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from copier._vcs import get_repo  # it has no public name, and no other tells what copier reads
from packaging.version import InvalidVersion, Version

from development.updating.repository import ANSWERS, ROOT, TemplateError, call

UNRELEASED = re.compile(r"^(?P<tag>.+)-(?P<count>\d+)-g[0-9a-f]+$")
"""A commit as `git describe` names it, by the release before it."""
HEADING = re.compile(r"^## +\[?([^\s\]]+)", flags=re.MULTILINE)


@dataclass(frozen=True)
class Release:
    """A release, and what the changelog says of it to the owner of a service."""

    tag: str
    version: Version
    news: str = ""

    @property
    def section(self) -> str:
        """Its name, and below it the news."""
        return f"## {self.tag}\n\n{self.news or 'The changelog has no lines on it.'}\n"


@dataclass(frozen=True)
class Course:
    """The way from the release that a service has to another, newest release first."""

    start: str
    version: Version
    target: Release | None
    passed: tuple[Release, ...]
    released: bool
    """Whether the service was made from a release, and not from a commit between two."""

    @property
    def behind(self) -> bool:
        """Whether there is something to bring in."""
        return self.target is not None and self.version < self.target.version

    @property
    def ahead(self) -> bool:
        """Whether the service has what the target has not."""
        return self.target is None or self.version > self.target.version

    @property
    def title(self) -> str:
        """What an update along it does, in one line."""
        return f"Update from the template: {self.start} to {self.target.tag if self.target else ''}"


def version_of(name: str) -> Version | None:
    """Read a version as copier does (PEP 440), or find that it is none."""
    try:
        return Version(name)
    except InvalidVersion:
        return None


def sections(changelog: str) -> dict[Version, str]:
    """Take a changelog apart: what it says of each version below a heading that names one."""
    _, *parts = HEADING.split(changelog)
    return {
        version: body.partition("\n")[2].strip()
        for name, body in zip(parts[::2], parts[1::2], strict=True)
        if (version := version_of(name))
    }


def recorded() -> dict[str, object]:
    """Read the answers that this service keeps, and where its template is."""
    try:
        answers = yaml.safe_load((ROOT / ANSWERS).read_text())
    except (OSError, yaml.YAMLError) as error:
        raise TemplateError(f"{ANSWERS} cannot be read: {error}") from error
    if not isinstance(answers, dict) or not {"_src_path", "_commit"} <= answers.keys():
        raise TemplateError(
            f"{ANSWERS} names no release of a template: this service was not made from one."
        )
    return answers


class Template:
    """A clone of the template's history, for reading."""

    def __init__(self, clone: Path) -> None:
        """Read from this bare clone."""
        self.clone = clone

    def git(self, *arguments: str) -> str:
        """Return what git answers about the template."""
        return call("git", f"--git-dir={self.clone}", *arguments)

    @cached_property
    def versions(self) -> dict[str, Version]:
        """The version of each tag that names one."""
        tags = self.git("for-each-ref", "refs/tags", "--format=%(refname:lstrip=2)").splitlines()
        return {tag: version for tag in tags if (version := version_of(tag))}

    @cached_property
    def newest(self) -> str | None:
        """The newest release; pre-releases are taken by name only, as copier does."""
        released = [tag for tag, version in self.versions.items() if not version.is_prerelease]
        return max(released, key=self.versions.__getitem__, default=None)

    def named(self, name: str) -> str:
        """Find the tag of a release that a user names, with or without its `v`."""
        for tag, version in self.versions.items():
            if name == tag or version_of(name) == version:
                return tag
        known = ", ".join(sorted(self.versions, key=self.versions.__getitem__)) or "none"
        raise TemplateError(f"The template has no release {name!r}. It has: {known}")

    def read(self, tag: str, path: str) -> str:
        """Return a file's text in a release; a file that is not there has none."""
        there = self.git("ls-tree", "--name-only", f"refs/tags/{tag}", "--", path)
        return self.git("show", f"refs/tags/{tag}:{path}") if there else ""

    def course(self, start: str, to: str = "") -> Course:
        """Compare the release that a service records with the newest one, or the one named."""
        version, released = self.place(start)
        tag = self.named(to) if to else self.newest
        if tag is None:
            return Course(start, version, None, (), released)
        target = self.versions[tag]
        news = sections(self.read(tag, "CHANGELOG.md"))
        passed = [
            Release(one, between, news.get(between, ""))
            for one, between in self.versions.items()
            if version < between <= target and (one == tag or not between.is_prerelease)
        ]
        passed.sort(key=lambda release: release.version, reverse=True)
        return Course(start, version, Release(tag, target), tuple(passed), released)

    def place(self, start: str) -> tuple[Version, bool]:
        """Return the version of what a service records, and whether that was a release."""
        if start in self.versions:
            return self.versions[start], True
        described = UNRELEASED.sub(r"\g<tag>.post\g<count>.dev0", start)
        if version := version_of(described):
            return version, described == start
        return Version("0.dev0"), False  # a commit from before the first release

    def has(self, start: str) -> bool:
        """Say whether the release or commit that a service records is still there."""
        try:
            self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{start}^{{commit}}")
        except TemplateError:
            return False
        return True


@contextmanager
def fetched(source: str) -> Iterator[Template]:
    """Give the template's history, as copier finds the source, until the end of the block."""
    url = get_repo(source)
    if url is None:
        raise TemplateError(
            f"There is no template at {source}. If it has moved, put its new place into "
            f"`_src_path` of {ANSWERS} and commit that."
        )
    with TemporaryDirectory(prefix="template-") as folder:
        clone = Path(folder) / "template.git"
        try:
            # Without the contents of its files, where the server can leave them out.
            call("git", "clone", "--quiet", "--bare", "--filter=blob:none", "--", url, str(clone))
        except TemplateError as error:
            reason = str(error).splitlines()[-1]
            raise TemplateError(f"The template at {source} cannot be read: {reason}") from error
        yield Template(clone)
