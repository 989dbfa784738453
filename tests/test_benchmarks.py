"""Benchmarks judge goals by quartiles and rotate the order of their contestants."""

from __future__ import annotations

from functools import partial

import pytest

from benchmarks.measure import ENOUGH, Result, rotated

LUCKY = (1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0)
STEADY = (1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0)


@pytest.mark.parametrize(("figures", "verdict"), [(LUCKY, "missed"), (STEADY, "met")])
def test_a_goal_is_met_by_the_lower_quartile(figures: tuple[float, ...], verdict: str) -> None:
    """A median that meets the goal is not enough."""
    assert Result("get", figures, "times", at_least=2).verdict == verdict


@pytest.mark.parametrize(("figures", "verdict"), [(LUCKY, "missed"), (STEADY, "missed")])
def test_a_limit_is_met_by_the_upper_quartile(figures: tuple[float, ...], verdict: str) -> None:
    """If a goal is a largest figure, the upper quartile must meet it."""
    assert Result("memory", figures, "times", at_most=1).verdict == verdict
    assert Result("memory", figures, "times", at_most=2).verdict == "met"


def test_too_few_rounds_are_not_judged() -> None:
    """A goal is not met by too few rounds, even if their figures are good."""
    assert Result("get", (9.0,) * (ENOUGH - 1), "times", at_least=2).verdict == "not judged"


def test_a_single_figure_has_no_spread() -> None:
    """A single figure is not shown as three equal quartiles."""
    assert not Result("left", (1.0,), "files").spread


def test_each_round_starts_with_the_next_contestant() -> None:
    """No contestant always runs first."""
    order: list[str] = []

    def measure(name: str) -> float:
        order.append(name)
        return 1.0

    rotated({name: partial(measure, name) for name in "abc"}, 2)
    assert "".join(order) == "abcbcacab"
