"""Run all benchmarks, or the named ones, and write docs/benchmarks.md from all figures so far.

Run it with `uv run nox -s benchmarks`, on an idle machine. With `--quick` each benchmark runs once,
two at a time, and nothing is written: that shows that they still work.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.installed import SHARED
from benchmarks.machine import description
from benchmarks.measure import QUICK, RESULTS
from benchmarks.page import FIGURES, scripts, write_page

ROOT = Path(__file__).parents[1]
AT_ONCE = 2 if QUICK else 1


def main() -> int:
    """Run the scripts, and return 1 if one of them failed. A missed goal is not a failure."""
    given = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    names = given or scripts()
    # Not in a private folder: PostgreSQL's own account must reach it if we are root.
    with TemporaryDirectory(prefix="benchmark-") as services, ThreadPoolExecutor(AT_ONCE) as pool:
        os.environ[SHARED] = services
        outcomes = zip(names, pool.map(measured, names), strict=True)
        failed = [name for name, worked in outcomes if not worked]
    if not QUICK:
        write_page()
    for name in failed:
        print(f"{name} failed: its figures are missing", file=sys.stderr)
    return 1 if failed else 0


def measured(name: str) -> bool:
    """Run a script, keep its figures, and return whether it finished and reported some."""
    machine, started = description(), time.monotonic()
    with TemporaryDirectory(prefix="benchmarks-") as folder:
        results = Path(folder) / "results"
        ended = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", *(["--quick"] if QUICK else [])],
            cwd=ROOT,
            env={**os.environ, RESULTS: str(results)},
            check=False,
            stdout=subprocess.PIPE if QUICK else None,  # several would mix
            stderr=subprocess.STDOUT if QUICK else None,
            text=True,
        )
        lines = results.read_text().splitlines() if results.exists() else []
    # In a quick run, a script may miss the program that it needs and report no figures.
    worked = ended.returncode == 0 and (bool(lines) or QUICK)
    if QUICK:
        print(f"{name}: {len(lines)} figures in {time.monotonic() - started:.0f} s", flush=True)
        print("" if worked and lines else ended.stdout, end="", flush=True)
    elif worked:
        figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
        figures[name] = {"machine": machine, "results": [json.loads(line) for line in lines]}
        FIGURES.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    return worked


if __name__ == "__main__":
    sys.exit(main())
