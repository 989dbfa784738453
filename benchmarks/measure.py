"""Helpers of all benchmarks: measure contestants in rotated order, judge goals, and report."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Figure = TypeVar("Figure")

QUICK = "--quick" in sys.argv
"""Whether each benchmark runs once, only to show that it still works."""

ENOUGH = 9
"""The number of rounds without which no goal is judged."""

ROUNDS = 1 if QUICK else ENOUGH
RESULTS = "BENCHMARK_RESULTS"
"""The variable with the path of the results file, which has one JSON line per series."""


@dataclass(frozen=True)
class Series:
    """The figures of one contestant, in the order of the rounds."""

    figures: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle figure."""
        return statistics.median(self.figures)

    @cached_property
    def quartiles(self) -> tuple[float, float]:
        """The lower and the upper quartile; both are the figure itself if there is only one."""
        if len(self.figures) == 1:
            return self.figures[0], self.figures[0]
        lower, _, upper = statistics.quantiles(self.figures, n=4, method="inclusive")
        return lower, upper

    def over(self, other: Series) -> Series:
        """Return the ratios of this contestant's figures to another one's, round by round."""
        return Series(tuple(a / b for a, b in zip(self.figures, other.figures, strict=True)))


@dataclass(frozen=True)
class Result:
    """A series with its unit, its comparison and its goal."""

    name: str
    figures: tuple[float, ...]
    unit: str
    against: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def series(self) -> Series:
        """The figures of all rounds."""
        return Series(tuple(self.figures))

    @property
    def goal(self) -> str:
        """The goal in signs, or nothing."""
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return "" if self.at_most is None else f"<= {self.at_most:g}"

    @property
    def verdict(self) -> str:
        """The verdict on the goal, if there is one: three quarters of the rounds must meet it."""
        if not self.goal:
            return ""
        if len(self.figures) < ENOUGH:
            return "not judged"
        lower, upper = self.series.quartiles
        if self.at_least is not None:
            return "met" if lower >= self.at_least else "missed"
        return "met" if self.at_most is not None and upper <= self.at_most else "missed"

    @property
    def spread(self) -> str:
        """The quartiles, or nothing for a single measurement."""
        if len(self.figures) == 1:
            return ""
        lower, upper = self.series.quartiles
        return f"{rounded(lower)} to {rounded(upper)}"

    @property
    def middle(self) -> str:
        """The median with its unit."""
        return f"{rounded(self.series.median)} {self.unit}"

    def __str__(self) -> str:
        """Show the median, the quartiles, the number of rounds and the verdict in one line."""
        spread = f" ({self.spread} in {len(self.figures)} rounds)" if self.spread else ""
        goal = f"; goal {self.goal}: {self.verdict}" if self.goal else ""
        against = f" of {self.against}" if self.against else ""
        return f"{self.name}: {self.middle}{against}{spread}{goal}"


def rounded(value: float) -> str:
    """Return a figure with at most three digits after the point, and few in front of others."""
    digits = 0 if abs(value) >= 100 else 2 if abs(value) >= 0.1 else 3  # noqa: PLR2004 - to be read
    return f"{value:.{digits}f}"


def rotated(
    contestants: Mapping[str, Callable[[], Figure]], rounds: int = ROUNDS, *, warm_up: bool = True
) -> dict[str, list[Figure]]:
    """Measure each contestant once per round; each round starts with the next contestant.

    A first round warms up and does not count, unless benchmarks run quickly.
    """
    figures: dict[str, list[Figure]] = {name: [] for name in contestants}
    names = list(contestants)
    unmeasured = 1 if warm_up and not QUICK else 0
    for number in range(rounds + unmeasured):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            figure = contestants[name]()
            if number >= unmeasured:
                figures[name].append(figure)
    return figures


def in_turn(
    contestants: Mapping[str, Callable[[], float]], rounds: int = ROUNDS, *, warm_up: bool = True
) -> dict[str, Series]:
    """Measure contestants that give one figure each, as `rotated` does."""
    measured = rotated(contestants, rounds, warm_up=warm_up)
    return {name: Series(tuple(figures)) for name, figures in measured.items()}


def seconds(work: Callable[[], object]) -> float:
    """Return how long a piece of work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def save(result: Result) -> None:
    """Print a result, and add it to the results file if there is one."""
    print(result, flush=True)
    if name := os.environ.get(RESULTS):
        with Path(name).open("a") as file:
            file.write(json.dumps(asdict(result)) + "\n")


def ratio(
    name: str,
    series: Series,
    against: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> None:
    """Report ratios, what they compare with, and their goal if there is one."""
    save(Result(name, series.figures, "times", against, at_least, at_most))


def figure(
    name: str,
    series: Series,
    unit: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> None:
    """Report figures that depend on the machine, and their goal if there is one."""
    save(Result(name, series.figures, unit, "", at_least, at_most))
