"""Every file of a service has one owner by docs/template/ownership.md, and updates obey it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml
from jinja2 import Environment
from pathspec import PathSpec

from tests.rendering import files

if TYPE_CHECKING:
    from pathlib import Path


def lists(service: Path) -> dict[str, list[str]]:
    """Read the lists: a heading names each, and an item starts with its pattern."""
    text = (service / "docs/template/ownership.md").read_text()
    sections = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return {
        heading: re.findall(r"^- `([^`]+)`", body, flags=re.MULTILINE)
        for heading, body in zip(sections[::2], sections[1::2], strict=True)
    }


def matched(patterns: list[str], service: Path) -> set[str]:
    """Pick the files that a list names."""
    spec = PathSpec.from_lines("gitignore", patterns)
    return {str(path) for path in files(service) if spec.match_file(path)}


def test_every_file_is_on_exactly_one_list(service: Path) -> None:
    """No file is without an owner, and none has two."""
    owned = {owner: matched(patterns, service) for owner, patterns in lists(service).items()}
    paths = [str(path) for path in files(service)]
    owners = {path: [owner for owner in owned if path in owned[owner]] for path in paths}
    assert {path: names for path, names in owners.items() if len(names) != 1} == {}


def test_every_pattern_names_a_file(service: Path) -> None:
    """The lists hold nothing that this service does not have."""
    patterns = [pattern for one in lists(service).values() for pattern in one]
    assert [pattern for pattern in patterns if not matched([pattern], service)] == []


@pytest.mark.parametrize("operation", ["copy", "update"])
def test_updates_leave_out_the_services_own_files(
    service: Path, template: Path, operation: str
) -> None:
    """What copier.yml leaves out of an update is the list of the service's own files, no more."""
    exclude = "\n".join(yaml.safe_load((template / "copier.yml").read_text())["_exclude"])
    rendered = Environment(autoescape=False).from_string(exclude)  # noqa: S701 -- not HTML
    patterns = rendered.render(_copier_operation=operation, package_name="orders").splitlines()
    expected = matched(lists(service)["Yours"], service) if operation == "update" else set()
    assert matched(patterns, service) == expected
