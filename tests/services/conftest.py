"""The services that these tests install: those of all changes, or the one that is named."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.support.combinations import CASES, Combination, case
from tests.support.environment import IN_TESTS

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the features of one service to test, as `postgres-kafka` or `bare`."""
    parser.addoption("--features", type=Combination.named, help="test one service with these")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test for each service, or for those that its marker `only` names."""
    if "combination" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--features")
    cases = [case(chosen)] if chosen else CASES
    if marker := metafunc.definition.get_closest_marker("only"):
        thorough_cases = [
            case(combination, pytest.mark.thorough)
            for combination in marker.kwargs.get("before_release", ())
        ]
        cases = [combination for combination in cases if combination.values[0] in marker.args] + (
            [] if chosen else thorough_cases
        )
    metafunc.parametrize("combination", cases, indirect=True, scope="session")


@pytest.fixture(scope="session", autouse=True, name="installed")
def _installed() -> Iterator[Path]:
    """The environment of the service that was installed last.

    All services have it one after another, and `make install` removes what the next one does not
    need. What stays is compiled already.
    """
    with TemporaryDirectory(prefix="installed-") as folder, pytest.MonkeyPatch.context() as patch:
        environment = Path(folder) / "environment"
        patch.setitem(IN_TESTS, "UV_PROJECT_ENVIRONMENT", str(environment))
        yield environment
