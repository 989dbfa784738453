"""How all benchmarks measure: side by side, in turn, by medians and ratios."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
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
    """Ask every contestant for a figure in each round, after one round that does not count."""
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, measure in contestants.items():
            figure = measure()
            if number > 0:
                figures[name].append(figure)
    return {name: Series(tuple(found)) for name, found in figures.items()}


def seconds(work: Callable[[], object]) -> float:
    """Return how long a piece of work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def claim(name: str, ratio: Series, *, against: str, goal: str, holds: bool) -> None:
    """Print a claim's ratio, what it was compared with, and whether its goal was reached."""
    print(f"{name}: {ratio.text()} times {against}; goal {goal}: {'met' if holds else 'MISSED'}")
