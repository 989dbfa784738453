"""Every file of a service has one owner by docs/template/ownership.md, and updates obey it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml
from jinja2 import Environment
from pathspec import PathSpec

from tests.rendering import files

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATES, YOURS, FROZEN, SHARED = (
    "The template's",
    "Yours",
    "Yours, and new with a feature",
    "Shared",
)


def lists(service: Path) -> dict[str, list[str]]:
    """Read the lists: a heading names each, and an item starts with its pattern."""
    text = (service / "docs/template/ownership.md").read_text()
    sections = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return {
        heading: re.findall(r"^- `([^`]+)`", body, flags=re.MULTILINE)
        for heading, body in zip(sections[::2], sections[1::2], strict=True)
    }


def matched(patterns: list[str], paths: list[Path]) -> set[Path]:
    """Pick the files that a list names."""
    spec = PathSpec.from_lines("gitignore", patterns)
    return {path for path in paths if spec.match_file(path)}


def test_every_file_is_on_exactly_one_list(service: Path) -> None:
    """No file is without an owner, and none has two."""
    paths = files(service)
    owned = {owner: matched(patterns, paths) for owner, patterns in lists(service).items()}
    owners = {str(path): [one for one in owned if path in owned[one]] for path in paths}
    assert {path: names for path, names in owners.items() if len(names) != 1} == {}


def test_every_pattern_names_a_file(service: Path) -> None:
    """The lists hold nothing that this service does not have."""
    patterns = [pattern for one in lists(service).values() for pattern in one]
    assert [pattern for pattern in patterns if not matched([pattern], files(service))] == []


def test_updates_leave_out_the_services_own_files(service: Path, template: Path) -> None:
    """What copier.yml leaves out of an update is the list of the service's own files, no more."""
    paths = files(service)
    exclude = "\n".join(yaml.safe_load((template / "copier.yml").read_text())["_exclude"])
    render = Environment(autoescape=False).from_string(exclude).render  # noqa: S701 -- not HTML
    left_out = {
        operation: matched(
            render(_copier_operation=operation, package_name="orders").splitlines(), paths
        )
        for operation in ("copy", "update")
    }
    assert left_out == {"copy": set(), "update": matched(lists(service)[YOURS], paths)}
