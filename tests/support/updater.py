"""A service's update script, run as its Makefile and its workflow run it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support.environment import PERSON

if TYPE_CHECKING:
    from pathlib import Path


def command(service: Path, *arguments: str) -> list[str]:
    """Return the command that runs the service's script with the copier of these tests."""
    return [sys.executable, str(service / "development/template.py"), *arguments]


def ask(service: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the service's script without a terminal."""
    return subprocess.run(
        command(service, *arguments),
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=os.environ | PERSON | variables,
    )


def printed_commands(output: str) -> list[str]:
    """Return the commands that the script printed, which are indented and start with git or rm."""
    lines = [line.strip() for line in output.splitlines() if line.startswith("  ")]
    return [line for line in lines if line.startswith(("git ", "rm "))]


def paste(folder: Path, line: str) -> None:
    """Run a printed command in a shell."""
    subprocess.run(line, shell=True, cwd=folder, check=True, env=os.environ | PERSON)  # noqa: S602
