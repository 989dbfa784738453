"""Whatever features are chosen, the service reads as if it had been written by hand."""

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

# Docker and Compose give one of these words a meaning of their own.
OTHER_MEANING = re.compile(r"HEALTHCHECK |\s+healthcheck:$")

FENCED_CODE = re.compile(r"^```.*?^```$", flags=re.MULTILINE | re.DOTALL)
"""Code in a page keeps the blank lines of its own language."""

JINJA = re.compile(r"(?<!\$)\{\{[ -]|\{%|%\}|\{#|#\}")
"""What an unrendered expression leaves; `${{ }}` is a workflow's and `{{x` an f-string's."""


def texts(service: Path) -> dict[str, str]:
    """Read every file of a service; each has to be text."""
    return {str(path): (service / path).read_text(encoding="utf-8") for path in files(service)}


def litter(path: str, text: str) -> list[str]:
    """Name the stray white space that templates leave behind."""
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
    """Run ruff on a folder, without its cache, and give what it complains of."""
    command = [sys.executable, "-m", "ruff", *arguments, "--no-cache", "--quiet", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_no_jinja_is_left(service: Path) -> None:
    """Every expression was rendered, in the files and in their names."""
    paths = {path for path, text in texts(service).items() if JINJA.search(path + "\n" + text)}
    assert paths == set()
    assert [path for path in texts(service) if path.endswith(".jinja")] == []


def test_no_white_space_is_left(service: Path) -> None:
    """A part that was left out takes its blank lines with it."""
    problems_by_path = {path: litter(path, text) for path, text in texts(service).items()}
    assert {path: problems for path, problems in problems_by_path.items() if problems} == {}


def test_ruff_changes_and_finds_nothing(service: Path) -> None:
    """The rendered code is formatted, and clean by the service's own rules."""
    assert ruff("format", "--diff", folder=service) == ""
    assert ruff("check", folder=service) == ""


def test_every_file_parses(service: Path) -> None:
    """Python, TOML, YAML and JSON are what their names say."""
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
    """A service that left a feature out holds no word of it."""
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
    """Every folder holds more than a bare `__init__.py`."""
    folders = [service, *(path for path in service.rglob("*") if path.is_dir())]
    empty_folders = [
        folder.relative_to(service)
        for folder in folders
        if not any(
            child.name != "__init__.py" or child.stat().st_size for child in folder.iterdir()
        )
    ]
    assert empty_folders == []


def test_no_dependency_can_be_a_services_name(service: Path) -> None:
    """The names that a service may not take cover all that it installs by name."""
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
    """The shortest and the longest name leave the code formatted, and so do all between them.

    A line that fits with the longest name fits with any, and one that is broken even though the
    name is the shortest is broken for any. The first and the last letter do the same for sorting.
    """
    for name in ("a", "z" * NAME_LENGTH):
        answers = {"package_name": name, "project_slug": name, **combination.answers}
        render(template, tmp_path / name, **answers)
    assert ruff("format", "--diff", folder=tmp_path) == ""
    assert ruff("check", folder=tmp_path) == ""
