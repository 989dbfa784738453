"""A service's own tests, run in its clone."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Literal

from .report import Trial

if TYPE_CHECKING:
    from pathlib import Path

OURS = ("COV_", "NOX_", "PYTEST_", "PYTHON")
"""How variables begin that are about this run and not about the service's."""

OURS_TOO = {"UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "UV_RUN_RECURSION_DEPTH", "VIRTUAL_ENV"}

SHOWN = 60
"""How many lines of a run that did not pass are kept."""


def try_out(copy: Path, output: Path, workers: int) -> Trial:
    """Install a service and run its tests on some processes, writing all they print to a file."""
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
                ended = subprocess.run(
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
            if ended.returncode:
                return verdict("failed", output)
    return verdict("passed", output)


def verdict(outcome: Literal["passed", "failed", "unfinished"], output: Path) -> Trial:
    """Sum a run up by its last line, and keep the end of one that did not pass."""
    try:
        lines = output.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()
    except FileNotFoundError:
        lines = []
    summary = lines[-1].strip("= ") if lines else "it printed nothing"
    kept = "" if outcome == "passed" else "\n".join(lines[-SHOWN:])
    return Trial(outcome=outcome, summary=summary, output=kept)
