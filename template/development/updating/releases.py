"""The template's releases, their changelog, and how this service compares with them."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from packaging.version import InvalidVersion, Version

from development.updating.repository import ANSWERS, ROOT, TemplateError, call
from development.updating.workspace import isolated_environment

SHORTCUTS = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}
HEADING = re.compile(r"^## +\[?([^\s\]]+)", flags=re.MULTILINE)
NO_RELEASE = Version("0.dev0")
"""Lower than the version of every release."""


@dataclass(frozen=True)
class Release:
    """A release of the template, with its section of the changelog."""

    tag: str
    version: Version
    changelog: str = ""

    @property
    def section(self) -> str:
        """The release as a section of Markdown."""
        text = self.changelog or "The changelog has no entry for this release."
        return f"## {self.tag}\n\n{text}\n"


@dataclass(frozen=True)
class UpdatePath:
    """The releases between the service's own and a target, newest first."""

    start: str
    version: Version
    target: Release | None
    releases: tuple[Release, ...]

    @property
    def starts_at_release(self) -> bool:
        """Whether the service was made from a release, not from a commit between releases."""
        return not self.version.is_devrelease

    @property
    def behind(self) -> bool:
        """Whether the target is newer than the service."""
        return self.target is not None and self.version < self.target.version

    @property
    def ahead(self) -> bool:
        """Whether the service is newer than the target."""
        return self.target is None or self.version > self.target.version

    @property
    def title(self) -> str:
        """The update in one line."""
        return f"Update from the template: {self.start} to {self.target.tag if self.target else ''}"


def parse_version(name: str) -> Version | None:
    """Parse a version (PEP 440), as copier does; None if the name is not a version."""
    try:
        return Version(name)
    except InvalidVersion:
        return None


def changelog_sections(changelog: str) -> dict[Version, str]:
    """Return the text below each heading of a changelog that names a version."""
    _, *names_and_bodies = HEADING.split(changelog)
    return {
        version: body.partition("\n")[2].strip()
        for name, body in zip(names_and_bodies[::2], names_and_bodies[1::2], strict=True)
        if (version := parse_version(name))
    }


def recorded_answers() -> dict[str, object]:
    """Read the service's answers, which include the template's address and release."""
    try:
        answers = yaml.safe_load((ROOT / ANSWERS).read_text())
    except (OSError, yaml.YAMLError) as error:
        raise TemplateError(f"{ANSWERS} cannot be read: {error}") from error
    if not isinstance(answers, dict) or not {"_src_path", "_commit"} <= answers.keys():
        raise TemplateError(
            f"{ANSWERS} does not name a template and its release (`_src_path` and `_commit`): "
            f"restore the file from an earlier commit."
        )
    return answers


class Template:
    """A bare clone of the template."""

    def __init__(self, clone: Path, url: str) -> None:
        """Use this clone of a URL."""
        self.clone = clone
        self.url = url

    @property
    def rewrites(self) -> dict[str, str]:
        """The template's URL and its clone, for a git without the user's credentials."""
        return {} if Path(self.url).exists() else {self.url: self.clone.as_uri()}

    def git(self, *arguments: str) -> str:
        """Run git in the clone and return its output."""
        return call("git", f"--git-dir={self.clone}", *arguments)

    @cached_property
    def versions(self) -> dict[str, Version]:
        """The tags that are versions."""
        tags = self.git("for-each-ref", "refs/tags", "--format=%(refname:lstrip=2)").splitlines()
        return {tag: version for tag in tags if (version := parse_version(tag))}

    def find_tag(self, name: str) -> str:
        """Return the tag of a release, named with or without its `v`."""
        for tag, version in self.versions.items():
            if name == tag or parse_version(name) == version:
                return tag
        releases = ", ".join(sorted(self.versions, key=self.versions.__getitem__)) or "none"
        raise TemplateError(f"The template has no release {name!r}. It has: {releases}")

    def read(self, tag: str, path: str) -> str:
        """Return the text of a file in a release, or an empty string if it does not exist."""
        entry = self.git("ls-tree", "--name-only", f"refs/tags/{tag}", "--", path)
        return self.git("show", f"refs/tags/{tag}:{path}") if entry else ""

    def has_commit(self, name: str) -> bool:
        """Return whether the template still has a tag or commit."""
        try:
            self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        except TemplateError:
            return False
        return True

    def update_path(self, start: str, to: str = "") -> UpdatePath:
        """Compare the service's recorded release with a release, or with the newest one."""
        if not (to or self.has_release):
            return UpdatePath(start, parse_version(start) or NO_RELEASE, None, ())
        tag = self.find_tag(to) if to else ""
        version, newest = self.compare(start)
        tag = tag or self.find_tag(newest)
        target = self.versions[tag]
        changelog = changelog_sections(self.read(tag, "CHANGELOG.md"))
        releases = [
            Release(name, between, changelog.get(between, ""))
            for name, between in self.versions.items()
            if version < between <= target and (name == tag or not between.is_prerelease)
        ]
        releases.sort(key=lambda release: release.version, reverse=True)
        return UpdatePath(start, version, Release(tag, target), tuple(releases))

    @property
    def has_release(self) -> bool:
        """Whether any tag is a release, not a pre-release."""
        return any(not version.is_prerelease for version in self.versions.values())

    def compare(self, start: str) -> tuple[Version, str]:
        """Ask copier for the service's version and for the newest one.

        If the template no longer has the service's commit, the recorded name gives its version.
        """
        is_known = self.has_commit(start)
        commit = start if is_known else next(iter(self.versions))
        command = [sys.executable, "-P", "-m", "copier", "check-update", "--output-format=json"]
        if not self.has_release:
            command.append("--prereleases")
        with TemporaryDirectory(prefix="check-") as folder:
            answers = {"_src_path": str(self.clone), "_commit": commit}
            Path(folder, ANSWERS).write_text(yaml.safe_dump(answers))
            compared = json.loads(call(*command, folder, variables=isolated_environment()))
        if is_known:
            return Version(compared["current_version"]), compared["latest_version"]
        version = re.sub(r"-(\d+)-g[0-9a-f]+$", r".post\1.dev0", start)
        return parse_version(version) or NO_RELEASE, compared["latest_version"]


def clone_url(source: str) -> str:
    """Return the URL of a template's source, which may be short, as in `gh:acme/template`."""
    for short, host in SHORTCUTS.items():
        if source.startswith(short):
            source = host + source.removeprefix(short).removeprefix("/")
    if source.startswith(tuple(SHORTCUTS.values())) and not source.endswith(".git"):
        source += ".git"
    return str(Path(source).expanduser()) if source[:1] == "~" else source.removeprefix("git+")


@contextmanager
def cloned_template(source: str) -> Iterator[Template]:
    """Clone the template into a temporary folder."""
    url = clone_url(source)
    with TemporaryDirectory(prefix="template-") as folder:
        clone = Path(folder) / "template.git"
        try:
            call("git", "clone", "--quiet", "--bare", "--", url, str(clone))
        except TemplateError as error:
            reason = str(error).splitlines()[-1]
            raise TemplateError(
                f"The template at {source} cannot be read: {reason} If it has moved, write its new "
                f"address into `_src_path` in {ANSWERS} and commit the change."
            ) from error
        yield Template(clone, url)
