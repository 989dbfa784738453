"""The services that these tests install: those of all changes, or the one that is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.combinations import CASES, Combination, case

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the features of one service to test, as `postgres-kafka` or `bare`."""
    parser.addoption("--features", type=Combination.named, help="test one service with these")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test for each service, or for those that its marker `only` names."""
    if "combination" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--features")
    cases = [case(chosen)] if chosen else CASES
    if only := metafunc.definition.get_closest_marker("only"):
        cases = [one for one in cases if one.values[0] in only.args]
    metafunc.parametrize("combination", cases, indirect=True, scope="session")
