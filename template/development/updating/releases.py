"""The template's releases, their lines of its changelog, and how this service compares."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from packaging.version import InvalidVersion, Version

from development.updating.repository import ANSWERS, ROOT, TemplateError, call

UNRELEASED = re.compile(r"^(?P<tag>.+)-(?P<count>\d+)-g[0-9a-f]+$")
"""A commit as `git describe` names it, by the release before it."""
SHORTCUTS = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}
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
class UpdatePath:
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

    def __init__(self, clone: Path, url: str) -> None:
        """Read from this bare clone of what is at a URL."""
        self.clone = clone
        self.url = url

    @property
    def rewrites(self) -> dict[str, str]:
        """The URL and where it has been cloned to, for a git without the user's credentials."""
        return {} if Path(self.url).exists() else {self.url: self.clone.as_uri()}

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

    def update_path(self, start: str, to: str = "") -> UpdatePath:
        """Compare the release that a service records with the newest one, or the one named."""
        version, released = self.place(start)
        tag = self.named(to) if to else self.newest
        if tag is None:
            return UpdatePath(start, version, None, (), released)
        target = self.versions[tag]
        news = sections(self.read(tag, "CHANGELOG.md"))
        passed = [
            Release(one, between, news.get(between, ""))
            for one, between in self.versions.items()
            if version < between <= target and (one == tag or not between.is_prerelease)
        ]
        passed.sort(key=lambda release: release.version, reverse=True)
        return UpdatePath(start, version, Release(tag, target), tuple(passed), released)

    def place(self, start: str) -> tuple[Version, bool]:
        """Return the version of what a service records, and whether that was a release."""
        described = start if start in self.versions else self.described(start)
        released = version_of(described)
        if released:
            return released, True
        since = UNRELEASED.sub(r"\g<tag>.post\g<count>.dev0", described)
        return version_of(since) or Version("0.dev0"), False  # before the first release

    def described(self, start: str) -> str:
        """Name a commit by the release before it: when it was recorded, that may have had no tag.

        A commit that the template no longer has keeps its recorded name.
        """
        if not self.has(start):
            return start
        try:
            return self.git("describe", "--tags", f"{start}^{{commit}}").strip()
        except TemplateError:  # it is from before the first release
            return ""

    def has(self, start: str) -> bool:
        """Say whether the release or commit that a service records is still there."""
        try:
            self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{start}^{{commit}}")
        except TemplateError:
            return False
        return True


def location(source: str) -> str:
    """Return what git fetches for a source as copier understands it: `gh:acme/template`, `~/it`."""
    for short, host in SHORTCUTS.items():
        if source.startswith(short):
            source = host + source.removeprefix(short).removeprefix("/")
    if source.startswith(tuple(SHORTCUTS.values())) and not source.endswith(".git"):
        source += ".git"
    return str(Path(source).expanduser()) if source[:1] == "~" else source.removeprefix("git+")


@contextmanager
def fetched(source: str) -> Iterator[Template]:
    """Give the template's history, as copier finds the source, until the end of the block."""
    url = location(source)
    with TemporaryDirectory(prefix="template-") as folder:
        clone = Path(folder) / "template.git"
        try:
            call("git", "clone", "--quiet", "--bare", "--", url, str(clone))
        except TemplateError as error:
            reason = str(error).splitlines()[-1]
            raise TemplateError(
                f"The template at {source} cannot be read: {reason} If it has moved, put its new "
                f"place into `_src_path` of {ANSWERS} and commit that."
            ) from error
        yield Template(clone, url)
