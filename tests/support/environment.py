"""The variables that the tests' commands run with."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.rendering import ROOT

PERSON = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "Tests"), ("EMAIL", "tests@example.com"))
}
"""The author of commits, for machines without a git user."""

OURS = ("COV_", "NOX_", "PYTEST_", "PYTHON", "UV_RUN_")
OURS_TOO = {"UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "VIRTUAL_ENV"}
# With CI set, pytest's closing summary repeats every message in full.
SETTINGS = {"CI", "HOST", "PORT", "DATABASE_URL", "TEST_DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"}

RUN = ("NOX_CURRENT_SESSION", "PYTEST_XDIST_WORKER")
TYPES = ROOT / ".nox/mypy" / "-".join(os.environ.get(name, "alone") for name in RUN)
"""Mypy's cache of the packages that services share: one folder for each worker."""

IN_TESTS = {
    "MYPY_CACHE_DIR": str(TYPES),
    # `make test` runs in one process: the workers of our own pytest keep all cores busy already,
    # and each additional process imports everything again.
    "PYTEST_XDIST_AUTO_NUM_WORKERS": "0",
}
"""Variables that save time in tests."""


def environment(**more: str) -> dict[str, str]:
    """Return the user's environment without the tests' own variables and a service's settings.

    The tests' own programs are removed from the path, so that a service cannot depend on them.
    """
    base = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(OURS) and name not in OURS_TOO | SETTINGS
    }
    folders = base["PATH"].split(os.pathsep)
    other_folders = [
        folder for folder in folders if not Path(folder).resolve().is_relative_to(ROOT)
    ]
    return base | {"PATH": os.pathsep.join(other_folders)} | IN_TESTS | more
