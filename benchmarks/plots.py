"""Draw ratios against their goals."""

from __future__ import annotations

import re
import statistics
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.measure import Result

ROW_HEIGHT = 0.34
GOOD, BAD, GOAL = "#1f7a4d", "#b3261e", "#555555"


def draw(results: list[Result], file: Path) -> None:
    """Write an SVG with a row for each result: its rounds as dots, against its goal at 1.

    Figures are divided by their goals, so that rows of all units share one axis.
    """
    mpl.rcParams |= {"svg.hashsalt": "benchmarks", "font.family": "sans-serif", "font.size": 8}
    figure = Figure(figsize=(8, 1 + ROW_HEIGHT * len(results)), layout="constrained")
    axes = figure.subplots()
    for row, result in enumerate(results):
        goal = float(re.sub(r"[^0-9.].*", "", result.goal.lstrip("<>= ")) or 1) or 1.0
        shares = [value / goal for value in result.figures]
        color = GOOD if result.holds else BAD
        axes.plot(shares, [row] * len(shares), "o", color=color, alpha=0.4, markersize=4)
        axes.plot([statistics.median(shares)], [row], "|", color=color, markersize=11)
    axes.axvline(1, color=GOAL, linestyle="--", linewidth=0.8)
    axes.set_xscale("symlog", linthresh=2)
    axes.set_yticks(range(len(results)), [f"{result.name} ({result.goal})" for result in results])
    axes.set_xlabel("figure divided by its goal; a goal with >= wants to be right of the line")
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})
