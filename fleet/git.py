"""Run git without prompts, hooks and changes to the repositories that it reads."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ELSEWHERE = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"),
    *("GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_CEILING_DIRECTORIES"),
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
)
"""Variables that point git at another repository."""

SETTINGS = {
    "commit.gpgSign": "false",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "gc.auto": "0",
    "maintenance.auto": "false",
    "user.name": "Fleet",
    "user.email": "fleet@localhost",
}


class GitError(Exception):
    """A git command failed. The message is git's own reason."""


def unattended(environment: Mapping[str, str]) -> dict[str, str]:
    """Return variables for git with the user's configuration and without prompts."""
    variables = {name: value for name, value in environment.items() if name not in ELSEWHERE}
    variables.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
    return variables | {"GIT_TERMINAL_PROMPT": "0"}


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """Return variables for git without prompts, hooks and background work."""
    variables = unattended(base)
    first = int(variables.get("GIT_CONFIG_COUNT") or 0)
    for number, (name, value) in enumerate(SETTINGS.items(), start=first):
        variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return variables | {
        "GIT_CONFIG_COUNT": str(first + len(SETTINGS)),
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C.UTF-8",
    }


def git(*arguments: str | Path, cwd: str | Path | None = None, limit: float | None = None) -> str:
    """Run git in a folder and return its output.

    Raises:
        GitError: git failed, or took longer than `limit` seconds.
    """
    command = ["git", *map(str, arguments)]
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            check=False,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=limit,
        )
    except OSError as error:
        raise GitError(f"git could not start: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise GitError(f"it took longer than {error.timeout:g} s") from error
    if done.returncode:
        raise GitError(reason(done.stderr) or f"git exited with status {done.returncode}")
    return done.stdout


def names(output: str) -> list[str]:
    """Split and sort the output of a git command with the option `-z`."""
    return sorted(filter(None, output.split("\0")))


def reason(printed: str) -> str:
    """Return the first error message in git's output."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("fatal: ", "error: "))]
    return (errors or lines or [""])[0].removeprefix("fatal: ").removeprefix("error: ")
