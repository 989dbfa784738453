"""Measure the render of each service, all in one process.

Run it with `uv run --group test python -m benchmarks.bench_render`.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.bench_copy import copy, make_plain
from benchmarks.measure import claim, figure, in_turn

from tests.support.combinations import COMBINATIONS
from tests.support.rendering import render, snapshot

ROUNDS = 3
GOAL = 0.150


def main() -> None:
    """Measure renders against copies of the same number of plain files."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        root = Path(folder)
        template, target = root / "template", root / "copy"
        template.mkdir()
        snapshot(template)
        plain = {str(combination): root / f"plain-{combination}" for combination in COMBINATIONS}
        for combination in COMBINATIONS:
            make_plain(
                plain[str(combination)],
                render(template, root / f"model-{combination}", **combination.answers),
            )

        def rendered() -> float:
            return statistics.median(
                copy(template, target, **combination.answers) for combination in COMBINATIONS
            )

        def copied() -> float:
            return statistics.median(
                copy(plain[str(combination)], target) for combination in COMBINATIONS
            )

        series_by_name = in_turn({"rendered": rendered, "plain": copied}, ROUNDS)
    for name, series in series_by_name.items():
        figure(f"one of ten services, {name}", series, "s")
    median, ratio = (
        series_by_name["rendered"].median,
        series_by_name["rendered"].over(series_by_name["plain"]),
    )
    comparison, goal = "a copy of as many plain files", f"<= {GOAL * 1000:.0f} ms in the median"
    claim("a render", ratio, against=comparison, goal=goal, holds=median <= GOAL)


if __name__ == "__main__":
    main()
