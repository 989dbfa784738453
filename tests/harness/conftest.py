"""A service with every feature, rendered and installed once, and copied for each test."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

import psutil
import pytest

from tests.harness.services import MEMORY, Service
from tests.support.environment import environment
from tests.support.processes import marked
from tests.support.rendering import render

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", name="installed")
def _installed(template: Path) -> Iterator[Path]:
    """A rendered service with its environment, and the caches of a first test run."""
    with folder() as path:
        service = render(template, path / "orders", postgres=True, kafka=False, healthcheck=True)
        subprocess.run(["uv", "sync", "--quiet"], cwd=service, env=environment(), check=True)
        run = Service.at(service, python(service)).test("tests/integration")
        assert run.code == 0, run.output
        yield service


@pytest.fixture(name="service")
def _service(installed: Path) -> Iterator[Service]:
    """A service of the test's own, with no tests but those of migrations; nothing of it stays."""
    ignored = shutil.ignore_patterns(".venv", "unit", "integration")
    with folder() as path:
        shutil.copytree(installed, path / "orders", ignore=ignored)
        service = Service.at(path / "orders", python(installed))
        try:
            yield service
        finally:
            for process in marked(service.mark):
                process.kill()


def python(installed: Path) -> Path:
    """Return the interpreter of an installed service."""
    return installed / ".venv" / "bin" / "python"


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's account can enter, also if the tests run as root.

    Folders of pytest become private whenever another pytest starts.
    """
    with TemporaryDirectory(prefix="harness-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def folders_of_run(mark: str) -> set[Path]:
    """Return what the servers with a test's mark keep in memory; other runs have other marks."""
    commands = []
    for process in marked(mark):
        with suppress(psutil.Error):
            commands.append(" ".join(process.cmdline()))
    folders = MEMORY.glob(f"pytest-postgres-{os.getuid()}-*")
    return {folder for folder in folders if any(str(folder) in command for command in commands)}


@pytest.fixture(name="name")
def _name() -> str:
    """A unique name."""
    return f"t{uuid4().hex[:12]}"
