"""A template with a history of releases, services made from it, and their script."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import copier

from tests.repositories import PERSON, commit_all, git, replace

if TYPE_CHECKING:
    from pathlib import Path

MAKEFILE = "template/Makefile.jinja"
OLD, NEW, NEWER = "## Remove caches", "## Remove what tools leave behind", "## Tidy up"
GREEN, RED = "@echo the tests pass", "@echo the tests fail; exit 1"
SUITE = "$(uv) run pytest -n auto"

KEPT = (
    ".gitignore.jinja",
    "Makefile.jinja",
    "development/__init__.py",
    "development/template.py",
    "development/updating",
    "pyproject.toml.jinja",
    "{{ _copier_conf.answers_file }}.jinja",
)
"""What a service needs to be updated; with less to render, a test takes less time."""


def first_release(template: Path, destination: Path) -> Path:
    """Make a repository of a small part of the template, with the release v1.0.0."""
    shutil.copytree(template, destination, ignore=shutil.ignore_patterns("template"))
    for name in KEPT:
        source, target = template / "template" / name, destination / "template" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)
    write_news(destination, "v1.0.0", "The first one.")
    commit_all(destination, tag="v1.0.0")
    return destination


def release(releases: Path, tag: str, old: str, new: str, *, news: str = "") -> None:
    """Release a template whose Makefile says something else."""
    replace(releases / MAKEFILE, old, new)
    if news:
        write_news(releases, tag, news)
    commit_all(releases, tag=tag)


def write_news(releases: Path, tag: str, news: str) -> None:
    """Put a section on top of the changelog."""
    changelog = releases / "CHANGELOG.md"
    head, below = "# Changelog\n\n## Unreleased\n\nNot yet.\n", ""
    if changelog.exists():
        below = changelog.read_text().removeprefix(head)
    changelog.write_text(f"{head}\n## {tag}\n\n{news}\n{below}")


def new_service(releases: Path, destination: Path, *, at: str | None = None) -> Path:
    """Make a service from the template's newest release or another commit, and commit it."""
    copier.run_copy(str(releases), destination, vcs_ref=at, defaults=True, unsafe=True, quiet=True)
    commit_all(destination)
    return destination


def ask(service: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the service's script with the copier of these tests, and nobody at a terminal."""
    return subprocess.run(
        command(service, *arguments),
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=os.environ | PERSON | variables,
    )


def command(service: Path, *arguments: str) -> list[str]:
    """Give the command that runs the service's script with the copier of these tests."""
    return [sys.executable, str(service / "development/template.py"), *arguments]


def status(service: Path) -> str:
    """Say what git sees changed in a service."""
    return git(service, "status", "--porcelain")


def indented(output: str) -> list[str]:
    """Pick the commands from what the script printed: they are indented and known by name."""
    lines = [line.strip() for line in output.splitlines() if line.startswith("  ")]
    return [line for line in lines if line.startswith(("git ", "rm "))]
