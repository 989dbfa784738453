"""The owners of a service's files, read from its ownership lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pathspec import PathSpec

from tests.support.files import files

if TYPE_CHECKING:
    from pathlib import Path

YOURS = "Yours"
WITH_A_FEATURE = "Yours, and new with a feature"


def lists(service: Path) -> dict[str, list[str]]:
    """Read the lists. Each list has a heading, and each item starts with its pattern."""
    text = (service / "docs/template/ownership.md").read_text()
    sections = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return {
        heading: re.findall(r"^- `([^`]+)`", body, flags=re.MULTILINE)
        for heading, body in zip(sections[::2], sections[1::2], strict=True)
    }


def matched(patterns: list[str], service: Path) -> set[str]:
    """Return the files that match a list."""
    spec = PathSpec.from_lines("gitignore", patterns)
    return {str(path) for path in files(service) if spec.match_file(path)}


def owned(service: Path, owner: str) -> set[str]:
    """Return the files of an owner."""
    return matched(lists(service).get(owner, []), service)
