"""Git repositories that tests make and change."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PERSON = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "Tests"), ("EMAIL", "tests@example.com"))
}
"""Who commits, on machines where git knows nobody."""


def git(folder: Path, *arguments: str) -> str:
    """Return what git answers in a folder to a command that succeeds, without the last newline."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | PERSON,
    )
    return done.stdout.rstrip("\n")


def commit_all(folder: Path, tag: str | None = None) -> None:
    """Commit all that a folder holds, making it a repository first, and tag the commit."""
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message=Everything")
    if tag:
        git(folder, "tag", tag)


def replace(path: Path, old: str, new: str) -> None:
    """Change a file that holds the old words once."""
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} is not once in {path}"
    path.write_text(text.replace(old, new))
