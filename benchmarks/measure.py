"""Helpers of all benchmarks: measure contestants in turn, and compute medians and ratios."""

from __future__ import annotations

import json
import os
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Series:
    """The figures of one contestant, in the order of the rounds."""

    figures: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle figure."""
        return statistics.median(self.figures)

    def over(self, other: Series) -> Series:
        """Return the ratios of this contestant's figures to another one's, round by round."""
        return Series(tuple(a / b for a, b in zip(self.figures, other.figures, strict=True)))

    def text(self, digits: int = 2) -> str:
        """Return the median with the smallest and largest figure."""
        low, high = min(self.figures), max(self.figures)
        return f"{self.median:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def in_turn(contestants: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, Series]:
    """Measure each contestant once per round, after a warm-up round."""
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, measure in contestants.items():
            figure = measure()
            if number > 0:
                figures[name].append(figure)
    return {name: Series(tuple(values)) for name, values in figures.items()}


def seconds(action: Callable[[], object]) -> float:
    """Return how long a piece of work takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


RESULTS = "BENCHMARK_RESULTS"
"""The variable with the path of the results file, which has one JSON line per figure."""


@dataclass(frozen=True)
class Result:
    """The figures of all rounds, with their comparison and goal."""

    name: str
    figures: tuple[float, ...]
    unit: str
    against: str = ""
    goal: str = ""
    holds: bool | None = None

    @property
    def middle(self) -> str:
        """The median with its spread and unit, rounded."""
        series = Series(self.figures)
        digits = 2 if series.median < 100 else 0  # noqa: PLR2004 - to be read
        return f"{series.text(digits)} {self.unit}"

    def __str__(self) -> str:
        """Show the median and the spread in one line."""
        text = f"{self.name}: {self.middle} {self.against}".rstrip()
        if self.holds is None:
            return text
        return f"{text}; goal {self.goal}: {'met' if self.holds else 'MISSED'}"


def report(result: Result) -> None:
    """Print a result, and add it to the results file if there is one."""
    print(result, flush=True)
    if name := os.environ.get(RESULTS):
        with Path(name).open("a") as file:
            file.write(json.dumps(asdict(result)) + "\n")


def claim(name: str, ratio: Series, *, against: str, goal: str, holds: bool) -> None:
    """Report a claim's ratio, its comparison, and whether it met its goal."""
    report(Result(name, ratio.figures, "times", against, goal, holds))


def figure(name: str, series: Series, unit: str) -> None:
    """Report a figure without a goal, because it depends on the machine."""
    report(Result(name, series.figures, unit))
