"""The services that these tests install: those of all changes, or the one that is named."""

from __future__ import annotations

import pytest

from tests.support.combinations import CASES, Combination, case


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
