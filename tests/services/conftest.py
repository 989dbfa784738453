"""The services that these tests install: those of all changes, or the one that is named."""

from __future__ import annotations

import pytest

from tests.support.combinations import CASES, Combination


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the features of one service to test, as `postgres-kafka` or `bare`."""
    parser.addoption("--features", type=Combination.named, help="test one service with these")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test for each service, or for those that its marker `only` names."""
    if "combination" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--features")
    cases = [pytest.param(chosen, id=str(chosen))] if chosen else CASES
    if only := metafunc.definition.get_closest_marker("only"):
        cases = [case for case in cases if case.values[0] in only.args]
    # The tests of one service stay together, so that two of them never run side by side.
    grouped = [
        pytest.param(
            *case.values, id=case.id, marks=[*case.marks, pytest.mark.xdist_group(case.id)]
        )
        for case in cases
    ]
    metafunc.parametrize("combination", grouped, indirect=True, scope="session")
