"""Where the services are: in lists, in folders, at URLs."""

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
"""Names that copier's users give to the file, where several templates made one folder."""

FOLDER = "#subdirectory="
"""What separates a repository from the folder of a service in it, as in pip and uv."""

SKIPPED = {"node_modules", "__pycache__"}

ALIASES = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}
URL = re.compile(r"[a-z][a-z0-9+.-]*://|[\w.-]+@[\w.-]+:", re.IGNORECASE)
COMMENT = re.compile(r"(^|\s)#.*")


class PlaceError(Exception):
    """A place that was named and that holds nothing to look at."""


@dataclass(frozen=True)
class Entry:
    """A service to look at: a URL, or the full path of a folder.

    The URL of a repository may have the folder behind it, as in `URL#subdirectory=orders`. Where
    the answers file has a name of the service's choice, the place ends with it.
    """

    place: str

    @property
    def name(self) -> str:
        """What people call it: the last part of its place, without the answers file."""
        within = self.folder or self.repository
        return mask(re.split(r"[/:]", within.rstrip("/"))[-1].removesuffix(".git"))

    @property
    def repository(self) -> str:
        """What git clones: a URL, or a folder in a working tree."""
        repository = self.place.partition(FOLDER)[0]
        named = FOLDER not in self.place and ANSWERS_FILE.fullmatch(Path(repository).name)
        return repository.rpartition("/")[0] if named else repository

    @property
    def folder(self) -> str:
        """The folder in the repository that the place names, or nothing."""
        folder = self.place.partition(FOLDER)[2].strip("/")
        return folder.rpartition("/")[0] if ANSWERS_FILE.fullmatch(Path(folder).name) else folder

    @property
    def answers(self) -> str:
        """The name of the answers file."""
        name = Path(self.place.partition(FOLDER)[2] or self.place).name
        return name if ANSWERS_FILE.fullmatch(name) else ANSWERS


def find(places: Iterable[str]) -> list[Entry]:
    """List the services of these lists, folders and URLs, each once, in the order given.

    A folder is searched for services. Each line of a list is taken as it stands, so that one which
    leads nowhere is reported with the others.

    Raises:
        PlaceError: a place does not exist, cannot be read, or holds no service.
    """
    found = dict.fromkeys(entry for place in places for entry in entries(place))
    return list(found)


def entries(place: str) -> list[Entry]:
    """List the services at one place."""
    whole = absolute(place)
    if is_url(whole):
        return [Entry(whole)]
    path = Path(whole)
    if path.is_file() and ANSWERS_FILE.fullmatch(path.name):
        return [Entry(whole)]
    if not path.exists():
        raise PlaceError(f"{place} does not exist: name a list, a folder of services, or a URL.")
    listed = list(search(path)) if path.is_dir() else read(path)
    if not listed:
        raise PlaceError(f"{place} holds no service: none has a {ANSWERS}.")
    return listed


def read(path: Path) -> list[Entry]:
    """Read a list, one path or URL in a line; its folder is where relative paths start."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PlaceError(f"{path} cannot be read as a list of services: {error}") from error
    stated = [COMMENT.sub("", line).strip() for line in lines]
    expanded = [expand(line) for line in stated if line]
    return [Entry(one if is_url(one) else normal(path.parent / one)) for one in expanded]


def search(folder: Path) -> Iterator[Entry]:
    """Find the services in a folder, in working trees and in bare repositories, nested or not."""
    for place, folders, files in os.walk(folder):
        if "HEAD" in files and {"objects", "refs"} <= set(folders):
            yield from committed(place)
            folders.clear()
        yield from (Entry(beside(place, name)) for name in chosen(files))
        folders[:] = sorted(one for one in folders if one[0] != "." and one not in SKIPPED)


def chosen(files: Iterable[str]) -> list[str]:
    """Pick the answers file of a folder, or several where none has the usual name."""
    found = sorted(one for one in files if ANSWERS_FILE.fullmatch(one))
    return [ANSWERS] if ANSWERS in found else found


def beside(place: str, name: str) -> str:
    """Write the place of a service whose answers file has this name."""
    return place if name == ANSWERS else f"{place}/{name}"


def committed(repository: str) -> Iterator[Entry]:
    """List the services that the last commit of a bare repository holds."""
    try:
        listed = git("--git-dir", repository, "ls-tree", "-rz", "--name-only", "HEAD")
    except GitError:
        return
    for path in answers_files(listed):
        folder = path.removesuffix(ANSWERS).strip("/")
        yield Entry(f"{repository}{FOLDER}{folder}" if folder else repository)


def answers_files(listed: str) -> list[str]:
    """Pick the answers file of each folder from what git lists with `-z`."""
    folders: dict[str, list[str]] = {}
    for path in names(listed):
        folder, slash, name = path.rpartition("/")
        folders.setdefault(folder + slash, []).append(name)
    return [folder + name for folder, files in folders.items() for name in chosen(files)]


def expand(place: str) -> str:
    """Write out copier's shorthands: `gh:org/name`, `git+https://...`, `~/name`."""
    for alias, url in ALIASES.items():
        if place.startswith(alias):
            return f"{url}{place.removeprefix(alias).strip('/').removesuffix('.git')}.git"
    place = place.removeprefix("git+")
    return str(Path(place).expanduser()) if place.startswith("~") else place


def absolute(place: str) -> str:
    """Write a place out so that it means the same in any folder."""
    url = expand(place)
    return url if is_url(url) else normal(Path(url))


def normal(path: Path) -> str:
    """Write a path in full and without `..`, through links only where they matter."""
    plain = os.path.normpath(path.absolute())
    return plain if Path(plain).resolve() == path.resolve() else str(path.resolve())


def is_url(place: str) -> bool:
    """Say whether git would fetch this from elsewhere, rather than open a folder."""
    return bool(URL.match(place))
