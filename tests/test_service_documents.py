"""Links and commands in a service's documents work with any features."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.support.files import files

if TYPE_CHECKING:
    from pathlib import Path

FENCED = re.compile(r"^```.*?^```$", flags=re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)#\s]+)")
MAKE = re.compile(r"(?<![\w/-])make ([a-z][a-z-]*)")


def documents(service: Path) -> dict[Path, str]:
    """Read the documents of a service."""
    pages = [service / path for path in files(service) if path.suffix == ".md"]
    assert pages
    return {path: path.read_text() for path in pages}


def test_every_link_leads_to_a_file(service: Path) -> None:
    """A service's documents link only to files that the service has."""
    broken_links = [
        f"{path.name}: {link}"
        for path, text in documents(service).items()
        for link in LINK.findall(FENCED.sub("", text))
        if not (path.parent / link).exists()
    ]
    assert broken_links == []


def test_every_make_target_exists(service: Path) -> None:
    """A service's documents name only make targets that its Makefile has."""
    makefile = (service / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, flags=re.MULTILINE))
    for path, text in documents(service).items():
        commands = "\n".join([*FENCED.findall(text), *SPAN.findall(FENCED.sub("", text))])
        assert set(MAKE.findall(commands)) - targets == set(), path.name
