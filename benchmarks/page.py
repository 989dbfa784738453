"""Write docs/benchmarks.md and its plot from the figures in docs/benchmarks.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import ENOUGH, Result
from benchmarks.plots import draw

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = Path(__file__).parents[1] / "docs/benchmarks.md"
FIGURES = PAGE.with_suffix(".json")
"""The figures of all rounds, by script."""

HEADINGS = "| measurement | compared with | median | quartiles | rounds | goal | |"
INTRODUCTION = f"""\
# Benchmarks

Written by `uv run nox -s benchmarks`, which measures again and replaces this page. The
[scripts](../benchmarks/README.md) explain each comparison; [benchmarks.json](benchmarks.json) has
the figure of every round.

- A goal is **met** when three quarters of at least {ENOUGH} rounds meet it: the lower quartile of a
  goal with >=, the upper quartile of a goal with <=. With fewer rounds it is not judged.
- Contestants are measured in turn, and each round starts with the next one. A ratio is made of two
  figures of one round.
- A figure without quartiles was measured once.
- Compare ratios and CPU time. Seconds and requests per second depend on the machine, and on what
  else runs on it: see its load beside each table. A load of two or more before the start means
  that other programs ran, and used the same cores.

![Each figure with a goal, divided by the goal](benchmarks.svg)

"""


def write_page() -> None:
    """Write the page and the plot."""
    measured = json.loads(FIGURES.read_text())
    results = {
        name: [Result(**result) for result in each["results"]] for name, each in measured.items()
    }
    everything = [one for each in results.values() for one in each]
    judged = [one for one in everything if one.goal]
    sections = [f"## Goals\n\n{table(judged)}"]
    for name, each in sorted(results.items()):
        others = [one for one in each if not one.goal]
        if others:
            head = f"## {name}\n\nMeasured {measured[name]['machine']}."
            sections.append(f"{head}\n\n{table(others)}")
    if missing := sorted(set(scripts()) - set(measured)):
        sections.append(f"## Without figures\n\n{', '.join(missing)}")
    PAGE.write_text(INTRODUCTION + "\n\n".join(sections) + "\n")
    draw(judged, PAGE.with_suffix(".svg"))


def scripts() -> list[str]:
    """List the names of all benchmarks."""
    return sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))


def table(results: Iterable[Result]) -> str:
    """Return a table with a row for each result."""
    lines = [HEADINGS, "|---|---|---|---|---|---|---|"]
    for one in results:
        verdict = f"**{one.verdict}**" if one.verdict == "missed" else one.verdict
        cells = (
            one.name,
            one.against,
            one.middle,
            one.spread,
            len(one.figures),
            one.goal,
            verdict,
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)
