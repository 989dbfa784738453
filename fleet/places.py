"""Find services in lists, in folders and at URLs."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .git import GitError, git, names
from .redaction import mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ANSWERS = ".copier-answers.yml"
ANSWERS_FILE = re.compile(r"\.copier-answers[\w.-]*\.ya?ml")
"""Usual names of answers files. Folders made from several templates have several."""

FOLDER = "#subdirectory="
"""Separates a repository's URL from the folder of a service in it, as in pip and uv."""

SKIPPED = {"node_modules", "__pycache__"}

ALIASES = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}
URL = re.compile(r"[a-z][a-z0-9+.-]*://|[\w.-]+@[\w.-]+:", re.IGNORECASE)
COMMENT = re.compile(r"(^|\s)#.*")


class PlaceError(Exception):
    """A path or URL without a service."""


@dataclass(frozen=True)
class Entry:
    """A service to check: a URL, or the absolute path of a folder.

    A URL may include the folder in the repository, as in `URL#subdirectory=orders`. If the answers
    file has an unusual name, the place ends with it.
    """

    place: str

    @property
    def name(self) -> str:
        """The name to show: the last part of its place, without the answers file."""
        location = self.folder or self.repository
        return mask(re.split(r"[/:]", location.rstrip("/"))[-1].removesuffix(".git"))

    @property
    def repository(self) -> str:
        """The URL, or the folder in a working tree, that git clones."""
        repository = self.place.partition(FOLDER)[0]
        named = FOLDER not in self.place and ANSWERS_FILE.fullmatch(Path(repository).name)
        return repository.rpartition("/")[0] if named else repository

    @property
    def folder(self) -> str:
        """The folder in the repository, or an empty string."""
        folder = self.place.partition(FOLDER)[2].strip("/")
        return folder.rpartition("/")[0] if ANSWERS_FILE.fullmatch(Path(folder).name) else folder

    @property
    def answers(self) -> str:
        """The name of the answers file."""
        name = Path(self.place.partition(FOLDER)[2] or self.place).name
        return name if ANSWERS_FILE.fullmatch(name) else ANSWERS


def find(places: Iterable[str]) -> list[Entry]:
    """Return the services of lists, folders and URLs in the given order, without duplicates.

    Folders are searched for services. The lines of a list are not checked, so that a wrong line
    appears in the report.

    Raises:
        PlaceError: a place does not exist, cannot be read, or has no service.
    """
    unique = dict.fromkeys(entry for place in places for entry in entries(place))
    return list(unique)


def entries(place: str) -> list[Entry]:
    """Return the services at one place."""
    location = absolute(place)
    if is_url(location):
        return [Entry(location)]
    path = Path(location)
    if path.is_file() and ANSWERS_FILE.fullmatch(path.name):
        return [Entry(location)]
    if not path.exists():
        raise PlaceError(f"{place} does not exist: name a list, a folder of services, or a URL.")
    found_entries = list(search(path)) if path.is_dir() else read(path)
    if not found_entries:
        raise PlaceError(f"{place} has no services: there is no {ANSWERS} in it.")
    return found_entries


def read(path: Path) -> list[Entry]:
    """Read a list with one path or URL per line. Relative paths start at the list's folder."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PlaceError(f"{path} cannot be read as a list of services: {error}") from error
    places = [COMMENT.sub("", line).strip() for line in lines]
    expanded = [expand(place) for place in places if place]
    return [Entry(place if is_url(place) else normal(path.parent / place)) for place in expanded]


def search(folder: Path) -> Iterator[Entry]:
    """Find all services in a folder, including nested ones and those in bare repositories."""
    for place, folders, files in os.walk(folder):
        if "HEAD" in files and {"objects", "refs"} <= set(folders):
            yield from committed(place)
            folders.clear()
        yield from (Entry(beside(place, name)) for name in chosen(files))
        folders[:] = sorted(name for name in folders if name[0] != "." and name not in SKIPPED)


def chosen(files: Iterable[str]) -> list[str]:
    """Return the answers file of a folder, or all of them if none has the usual name."""
    candidates = sorted(name for name in files if ANSWERS_FILE.fullmatch(name))
    return [ANSWERS] if ANSWERS in candidates else candidates


def beside(place: str, name: str) -> str:
    """Return the place of a service with its answers file, unless that has the usual name."""
    return place if name == ANSWERS else f"{place}/{name}"


def committed(repository: str) -> Iterator[Entry]:
    """Return the services in the last commit of a bare repository."""
    try:
        output = git("--git-dir", repository, "ls-tree", "-rz", "--name-only", "HEAD")
    except GitError:
        return
    for path in answers_files(output):
        folder = path.removesuffix(ANSWERS).strip("/")
        yield Entry(f"{repository}{FOLDER}{folder}" if folder else repository)


def answers_files(output: str) -> list[str]:
    """Return the answers files of all folders in a listing of git with the option `-z`."""
    folders: dict[str, list[str]] = {}
    for path in names(output):
        folder, slash, name = path.rpartition("/")
        folders.setdefault(folder + slash, []).append(name)
    return [folder + name for folder, files in folders.items() for name in chosen(files)]


def expand(place: str) -> str:
    """Expand copier's short addresses: `gh:org/name`, `git+https://...`, `~/name`."""
    for alias, url in ALIASES.items():
        if place.startswith(alias):
            return f"{url}{place.removeprefix(alias).strip('/').removesuffix('.git')}.git"
    place = place.removeprefix("git+")
    return str(Path(place).expanduser()) if place.startswith("~") else place


def absolute(place: str) -> str:
    """Return a place as a URL or an absolute path."""
    url = expand(place)
    return url if is_url(url) else normal(Path(url))


def normal(path: Path) -> str:
    """Return an absolute path without `..`, resolving links only if it must."""
    text = os.path.normpath(path.absolute())
    return text if Path(text).resolve() == path.resolve() else str(path.resolve())


def is_url(place: str) -> bool:
    """Return whether a place is a URL, not a folder."""
    return bool(URL.match(place))
