"""Where the services are: in lists, in folders, at URLs."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .git import GitError, git
from .redaction import mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ANSWERS = ".copier-answers.yml"
SKIPPED = {"node_modules", "__pycache__"}

ALIASES = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}
URL = re.compile(r"[a-z][a-z0-9+.-]*://|[\w.-]+@[\w.-]+:", re.IGNORECASE)
COMMENT = re.compile(r"(^|\s)#.*")


class PlaceError(Exception):
    """A place that was named and that holds nothing to look at."""


@dataclass(frozen=True)
class Entry:
    """A service to look at: a URL, or the full path of a folder."""

    place: str

    @property
    def name(self) -> str:
        """What people call it: the last part of its place."""
        return mask(re.split(r"[/:]", self.place.rstrip("/"))[-1].removesuffix(".git"))

    @property
    def remote(self) -> bool:
        """Whether git has to fetch it."""
        return is_url(self.place)


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
    return [
        Entry(one if is_url(one) else os.path.normpath(path.parent.absolute() / one))
        for one in expanded
    ]


def search(folder: Path) -> Iterator[Entry]:
    """Find the services in a folder, as working trees and as bare repositories."""
    for place, folders, files in os.walk(folder):
        bare = "HEAD" in files and {"objects", "refs"} <= set(folders)
        if ANSWERS in files or (bare and committed(place)):
            yield Entry(place)
        if ANSWERS in files or bare:
            folders.clear()
        folders[:] = sorted(one for one in folders if one[0] != "." and one not in SKIPPED)


def committed(repository: str) -> bool:
    """Say whether the last commit of a bare repository is of a service."""
    try:
        git("--git-dir", repository, "cat-file", "-e", f"HEAD:{ANSWERS}")
    except GitError:
        return False
    return True


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
    return url if is_url(url) else str(Path(url).absolute())


def is_url(place: str) -> bool:
    """Say whether git would fetch this from elsewhere, rather than open a folder."""
    return bool(URL.match(place))
