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
        plain = {str(one): root / f"plain-{one}" for one in COMBINATIONS}
        for one in COMBINATIONS:
            make_plain(plain[str(one)], render(template, root / f"model-{one}", **one.answers))

        def rendered() -> float:
            return statistics.median(copy(template, target, **one.answers) for one in COMBINATIONS)

        def copied() -> float:
            return statistics.median(copy(plain[str(one)], target) for one in COMBINATIONS)

        found = in_turn({"rendered": rendered, "plain": copied}, ROUNDS)
    for name, series in found.items():
        figure(f"one of ten services, {name}", series, "s")
    slow, ratio = found["rendered"].median, found["rendered"].over(found["plain"])
    against, goal = "a copy of as many plain files", f"<= {GOAL * 1000:.0f} ms in the median"
    claim("a render", ratio, against=against, goal=goal, holds=slow <= GOAL)


if __name__ == "__main__":
    main()
