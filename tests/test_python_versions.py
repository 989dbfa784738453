"""A service can require any supported Python, and its code is tidy with each of them."""

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
    """Parametrize a test with each supported Python."""
    version: str = request.param
    return version


@pytest.fixture(scope="module", name="orders")
def _orders(template: Path, version: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service with every feature that requires at least this Python."""
    destination = tmp_path_factory.mktemp(version) / "orders"
    return render(template, destination, kafka=True, python_version=version)


@pytest.mark.parametrize("command", [["format", "--diff"], ["check"]], ids=" ".join)
def test_ruff_changes_and_finds_nothing(orders: Path, command: list[str]) -> None:
    """Ruff's rules for a newer Python do not apply to an older one."""
    ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
    done = subprocess.run(ruff, cwd=orders, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_newer_syntax_is_allowed_if_python_supports_it(orders: Path, version: str) -> None:
    """The service's own files can use all features of its Python."""
    (orders / "orders/domain/newer.py").write_text("type Names = list[str]\n")
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "orders/domain/newer.py"]
    done = subprocess.run(ruff, cwd=orders, capture_output=True, text=True, check=False)
    (orders / "orders/domain/newer.py").unlink()
    assert (done.returncode == 0) is (version != "3.11"), done.stdout


def test_ci_tests_every_python_from_the_oldest(orders: Path, version: str) -> None:
    """The test matrix and the image start at the required Python."""
    jobs = yaml.safe_load((orders / ".github/workflows/ci.yml").read_text())["jobs"]
    expected = VERSIONS[VERSIONS.index(version) :]
    assert jobs["test"]["strategy"]["matrix"]["python"] == expected
    assert (orders / "Dockerfile").read_text().startswith(f"FROM python:{version}-")
