"""Run all benchmarks, or the named ones, print a table, and write docs/benchmarks.md.

Run it with `uv run nox -s benchmarks`, on an idle machine.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import RESULTS, Result
from benchmarks.plots import draw

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
PLOTS = PAGE.with_suffix(".svg")
INTRODUCTION = """\
# Benchmarks

Written by `uv run nox -s benchmarks` on {day}, on {machine}. A ratio is made of
two figures measured side by side in one round. The table shows medians, smallest and largest
figures. Compare ratios, because other figures depend on the machine. The
[scripts](../benchmarks/README.md) give details.

![Each figure with a goal, its rounds as dots](benchmarks.svg)

"""


def main() -> int:
    """Run the scripts, and return 1 if one of them failed. A missed goal is not a failure."""
    names = sys.argv[1:] or sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    with TemporaryDirectory(prefix="benchmarks-") as folder:
        file = Path(folder) / "results"
        failed = [name for name in names if not completes(name, file)]
        lines = file.read_text().splitlines() if file.exists() else []
    results = [Result(**json.loads(line)) for line in lines]
    table = "\n".join(rows(results))
    print(f"\n{table}")
    if not sys.argv[1:]:
        machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
        day = datetime.now(tz=UTC).date().isoformat()
        PAGE.write_text(INTRODUCTION.format(day=day, machine=machine) + table + "\n")
        draw([result for result in results if result.holds is not None], PLOTS)
    for name in failed:
        print(f"{name} failed: its figures are missing", file=sys.stderr)
    return 1 if failed else 0


def completes(name: str, results: Path) -> bool:
    """Run a script, and return whether it finished and reported its goals."""
    before = results.stat().st_size if results.exists() else 0
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    environment = {**os.environ, RESULTS: str(results)}
    status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    return status in {0, 1} and results.exists() and results.stat().st_size > before


def rows(results: list[Result]) -> list[str]:
    """Return the rows of the table: first the figures with goals, then the others."""
    lines = ["| measurement | figure | compared with | goal | |", "|---|---|---|---|---|"]
    for result in sorted(results, key=lambda result: result.holds is None):
        verdict = "" if result.holds is None else "met" if result.holds else "**missed**"
        lines.append(
            f"| {result.name} | {result.middle} | {result.against} | {result.goal} | {verdict} |"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
