"""A service may ask for any supported Python, and is as tidy with the newest as with the oldest."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support.rendering import render

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = ["3.11", "3.12", "3.13", "3.14"]


@pytest.fixture(scope="module", name="version", params=VERSIONS)
def _version(request: pytest.FixtureRequest) -> str:
    """Each supported Python in turn."""
    version: str = request.param
    return version


@pytest.fixture(scope="module", name="orders")
def _orders(template: Path, version: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service with every feature that needs at least this Python."""
    destination = tmp_path_factory.mktemp(version) / "orders"
    return render(template, destination, kafka=True, python_version=version)


@pytest.mark.parametrize("command", [["format", "--diff"], ["check"]], ids=" ".join)
def test_ruff_changes_and_finds_nothing(orders: Path, command: list[str]) -> None:
    """No rule for a newer Python asks for what an older one does not have."""
    ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
    done = subprocess.run(ruff, cwd=orders, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_newer_syntax_is_allowed_where_it_works(orders: Path, version: str) -> None:
    """The service's own files may use all that its Python has."""
    (orders / "orders/domain/newer.py").write_text("type Names = list[str]\n")
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "orders/domain/newer.py"]
    done = subprocess.run(ruff, cwd=orders, capture_output=True, text=True, check=False)
    (orders / "orders/domain/newer.py").unlink()
    assert (done.returncode == 0) is (version != "3.11"), done.stdout


def test_ci_tries_every_python_from_the_oldest_on(orders: Path, version: str) -> None:
    """The matrix of the tests starts at the Python that was asked for, and so does the image."""
    jobs = yaml.safe_load((orders / ".github/workflows/ci.yml").read_text())["jobs"]
    expected = VERSIONS[VERSIONS.index(version) :]
    assert jobs["test"]["strategy"]["matrix"]["python"] == expected
    assert (orders / "Dockerfile").read_text().startswith(f"FROM python:{version}-")
