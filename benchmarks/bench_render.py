"""Measure the render of each service, all in one process.

Run it with `uv run --group test python -m benchmarks.bench_render`.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.bench_copy import copy, make_plain
from benchmarks.measure import QUICK, figure, in_turn, ratio

from tests.support.combinations import COMBINATIONS as ALL
from tests.support.rendering import render, snapshot

COMBINATIONS = ALL[:1] if QUICK else ALL
GOAL = 0.150


def main() -> None:
    """Measure renders against copies of the same number of plain files."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        root = Path(folder)
        template, target = root / "template", root / "copy"
        template.mkdir()
        snapshot(template)
        plain = {str(one): root / f"plain-{one}" for one in COMBINATIONS}
        for one in COMBINATIONS:
            make_plain(plain[str(one)], render(template, root / f"model-{one}", **one.answers))

        def rendered() -> float:
            return statistics.median(copy(template, target, **one.answers) for one in COMBINATIONS)

        def copied() -> float:
            return statistics.median(copy(plain[str(one)], target) for one in COMBINATIONS)

        measured = in_turn({"rendered": rendered, "plain": copied})
    against = "a copy of as many plain files"
    ratio("render of a service", measured["rendered"].over(measured["plain"]), against)
    figure("render of a service", measured["rendered"], "s", at_most=GOAL)
    figure("copy of as many plain files", measured["plain"], "s")


if __name__ == "__main__":
    main()
