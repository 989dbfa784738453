"""With any features, the service looks as if it were written by hand."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import yaml

from extensions.answers import DEPENDENCIES, LATER_DEPENDENCIES, NAME_LENGTH, reserved
from tests.support.files import files
from tests.support.rendering import CATALOGUE, render

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.combinations import Combination

ANSWERS = ".copier-answers.yml"

# Docker and Compose use one of these words in another meaning.
OTHER_MEANING = re.compile(r"HEALTHCHECK |\s+healthcheck:$")

FENCED_CODE = re.compile(r"^```.*?^```$", flags=re.MULTILINE | re.DOTALL)
"""Code blocks of a page follow the blank lines of their own language."""

JINJA = re.compile(r"(?<!\$)\{\{[ -]|\{%|%\}|\{#|#\}")
"""The rest of an unrendered expression. `${{ }}` is a workflow's and `{{x` an f-string's."""


def texts(service: Path) -> dict[str, str]:
    """Read all files of a service, which must be text."""
    return {str(path): (service / path).read_text(encoding="utf-8") for path in files(service)}


def litter(path: str, text: str) -> list[str]:
    """Return the superfluous white space that templates leave behind."""
    blank_lines = 2 if path.endswith((".py", ".py.j2", ".mako")) else 1
    if path.endswith(".md"):
        text = FENCED_CODE.sub("code", text)
    problems = {
        "blank line at the start": text.startswith("\n"),
        "blank line at the end": text.endswith("\n\n"),
        "no newline at the end": text != "" and not text.endswith("\n"),
        "too many blank lines": "\n" * (blank_lines + 2) in text,
        "blank line below a key": re.search(r"^( *)[\w-]+:\n\n\1 +\S", text, flags=re.MULTILINE),
        "white space at a line's end": re.search(r"[ \t\r]$", text, flags=re.MULTILINE),
    }
    return [name for name, is_present in problems.items() if is_present]


def ruff(*arguments: str, folder: Path) -> str:
    """Run ruff on a folder without its cache, and return its messages."""
    command = [sys.executable, "-m", "ruff", *arguments, "--no-cache", "--quiet", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_no_jinja_is_left(service: Path) -> None:
    """All expressions in files and in their names are rendered."""
    paths = {path for path, text in texts(service).items() if JINJA.search(path + "\n" + text)}
    assert paths == set()
    assert [path for path in texts(service) if path.endswith(".jinja")] == []


def test_no_superfluous_white_space_is_left(service: Path) -> None:
    """An omitted part leaves no blank lines behind."""
    problems_by_path = {path: litter(path, text) for path, text in texts(service).items()}
    assert {path: problems for path, problems in problems_by_path.items() if problems} == {}


def test_ruff_changes_and_finds_nothing(service: Path) -> None:
    """The rendered code is formatted and passes the service's own lint rules."""
    assert ruff("format", "--diff", folder=service) == ""
    assert ruff("check", folder=service) == ""


def test_every_file_can_be_parsed(service: Path) -> None:
    """Python, TOML, YAML and JSON files are valid."""
    parsers: dict[str, Callable[[str], object]] = {
        ".py": ast.parse,
        ".toml": tomllib.loads,
        ".yml": lambda text: list(yaml.safe_load_all(text)),
        ".yaml": lambda text: list(yaml.safe_load_all(text)),
        ".json": json.loads,
    }
    for path, text in texts(service).items():
        for suffix, parse in parsers.items():
            if path.endswith(suffix):
                parse(text)


def test_absent_features_are_not_mentioned(service: Path, combination: Combination) -> None:
    """A service without a feature does not contain the feature's words."""
    absent_words = [
        CATALOGUE[name]["words"] for name, chosen in combination.answers.items() if not chosen
    ]
    if not absent_words:
        return
    words = re.compile("|".join(absent_words), flags=re.IGNORECASE)
    mentions = {
        f"{path}:{number}: {line.strip()}"
        for path, text in texts(service).items()
        if path != ANSWERS
        for number, line in enumerate([path, *text.splitlines()])
        if words.search(line) and not OTHER_MEANING.match(line)
    }
    assert mentions == set()


def test_no_folder_is_empty(service: Path) -> None:
    """Every folder contains more than an empty `__init__.py`."""
    folders = [service, *(path for path in service.rglob("*") if path.is_dir())]
    empty_folders = [
        folder.relative_to(service)
        for folder in folders
        if not any(
            child.name != "__init__.py" or child.stat().st_size for child in folder.iterdir()
        )
    ]
    assert empty_folders == []


def test_a_service_cannot_have_the_name_of_a_dependency(service: Path) -> None:
    """The reserved names contain all packages that a service lists as dependencies."""
    project = tomllib.loads((service / "pyproject.toml").read_text())
    requirements = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {
        re.split(r"[^\w-]", requirement)[0].lower().replace("-", "_")
        for requirement in requirements
    }
    later_dependencies = LATER_DEPENDENCIES.union(*map(reserved, CATALOGUE.values()))
    assert names - DEPENDENCIES - later_dependencies == set()


def test_the_length_of_a_name_changes_no_formatting(
    template: Path, tmp_path: Path, combination: Combination
) -> None:
    """With the shortest and the longest name, and all between them, the code is formatted.

    A line that fits with the longest name fits with any name, and a line that is too long with the
    shortest name is too long with any name. First and last letter do the same for sorting.
    """
    for name in ("a", "z" * NAME_LENGTH):
        answers = {"package_name": name, "project_slug": name, **combination.answers}
        render(template, tmp_path / name, **answers)
    assert ruff("format", "--diff", folder=tmp_path) == ""
    assert ruff("check", folder=tmp_path) == ""
