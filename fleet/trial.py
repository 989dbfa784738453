"""Run a service's own tests in its clone."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Literal

from .report import Trial

if TYPE_CHECKING:
    from pathlib import Path

OURS = ("COV_", "NOX_", "PYTEST_", "PYTHON")
"""Prefixes of variables that configure this process, not the service's tests."""

OURS_TOO = {"UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "UV_RUN_RECURSION_DEPTH", "VIRTUAL_ENV"}

SHOWN = 60
"""Number of lines to keep of a test run that did not pass."""


def try_out(copy: Path, output: Path, workers: int) -> Trial:
    """Install a service and run its tests in parallel; write their output to a file."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(OURS) and name not in OURS_TOO
    }
    commands = (
        ["uv", "sync", "--quiet"],
        ["uv", "run", "--no-sync", "pytest", "-n", str(workers)],
    )
    with output.open("wb") as file:
        for command in commands:
            try:
                done = subprocess.run(
                    command,
                    cwd=copy,
                    env=variables,
                    check=False,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                )
            except FileNotFoundError:
                return Trial(outcome="failed", summary="uv is missing: pip install uv")
            if done.returncode:
                return verdict("failed", output)
    return verdict("passed", output)


def verdict(outcome: Literal["passed", "failed", "unfinished"], output: Path) -> Trial:
    """Return the result of a run: its last line, and its last lines if it did not pass."""
    try:
        lines = output.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()
    except FileNotFoundError:
        lines = []
    summary = lines[-1].strip("= ") if lines else "it printed nothing"
    excerpt = "" if outcome == "passed" else "\n".join(lines[-SHOWN:])
    return Trial(outcome=outcome, summary=summary, output=excerpt)
