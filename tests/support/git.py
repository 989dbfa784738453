"""Git repositories that tests make and change."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from tests.support.environment import PERSON

if TYPE_CHECKING:
    from pathlib import Path


def git(folder: Path, *arguments: str | Path) -> str:
    """Run git in a folder and return its output without the last newline. It must succeed."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | PERSON,
    )
    return done.stdout.rstrip("\n")


def status(folder: Path) -> str:
    """Return the changed files, one a line."""
    return git(folder, "status", "--porcelain", "--untracked-files=all")


def commit_all(folder: Path, tag: str | None = None, *, subject: str = "Everything") -> None:
    """Commit all files of a folder, which becomes a repository if needed, and tag the commit."""
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", f"--message={subject}")
    if tag:
        git(folder, "tag", tag)
