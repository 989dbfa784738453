"""Draw figures against their goals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.measure import Result

ROW_HEIGHT = 0.3
COLORS = {"met": "#1f7a4d", "missed": "#b3261e", "not judged": "#7a7a7a"}
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)


def draw(results: list[Result], file: Path) -> None:
    """Write an SVG with a row for each result: rounds, quartiles and median as shares of its goal.

    Right of the line is always better: a goal with <= is divided by its figures. The axis is
    logarithmic, so that half the goal and twice the goal are equally far from it.
    """
    mpl.rcParams |= {"svg.hashsalt": "benchmarks", "font.family": "sans-serif", "font.size": 8}
    figure = Figure(figsize=(9, 1.2 + ROW_HEIGHT * len(results)), layout="constrained")
    axes = figure.subplots()
    for row, one in enumerate(results):
        color = COLORS[one.verdict]
        lower, upper = sorted(share(one, value) for value in one.series.quartiles)
        rounds = [share(one, value) for value in one.figures]
        axes.plot(rounds, [row] * len(rounds), "o", color=color, alpha=0.25, markersize=4)
        axes.plot([lower, upper], [row, row], "-", color=color, linewidth=3, alpha=0.6)
        axes.plot([share(one, one.series.median)], [row], "|", color=color, markersize=11)
    axes.axvline(1, color="#333333", linestyle="--", linewidth=0.8)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(TICKS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.minorticks_off()
    axes.set_yticks(range(len(results)), [label(one) for one in results])
    axes.set_xlabel(
        "share of the goal that is reached, logarithmic\n"
        "bar: quartiles, stroke: median, dots: rounds\n"
        "the goal is met if the whole bar is right of the line"
    )
    axes.grid(axis="x", linewidth=0.3)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})


def share(result: Result, value: float) -> float:
    """Return how much of the goal a figure reaches; 1 is the goal, and more is better."""
    if result.at_least is not None:
        return value / result.at_least
    goal = result.at_most or 0.0
    # Nothing left of a goal of nothing is the goal itself.
    return (goal + 1) / (value + 1) if goal == 0 else goal / value


def label(result: Result) -> str:
    """Name a row: what is measured, compared with what, and the goal."""
    against = f" / {result.against}" if result.against else ""
    goal = f"{result.goal} {result.unit}".strip()
    return f"{result.name}{against} ({goal})"
