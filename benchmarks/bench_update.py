"""Measure `make template-update` over one release against a bare `copier update`.

The release changes a line of the Makefile, so neither locks dependencies. Both run the same copier.
Run it with `uv run --group test python -m benchmarks.bench_update`.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.installed import run
from benchmarks.measure import claim, figure, in_turn, seconds

from tests.support.git import commit_all
from tests.support.releases import FIRST, NEW, Repository
from tests.support.rendering import render, snapshot

ROUNDS = 7
GOAL = 1.3


def main() -> None:
    """Measure, and print the ratio."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        template, service = Path(folder) / "template", Path(folder) / "orders"
        template.mkdir()
        repository = Repository(snapshot(template))
        repository.release("v1.0.0", news="The first one.")
        commit_all(render(template, service))
        repository.release("v1.1.0", FIRST, news="The second one.")
        script = ["--script", "development/template.py"]
        run(["uv", "sync", "--quiet", *script], service)
        python = run(["uv", "python", "find", *script], service).strip()

        def update(*command: str) -> float:
            started = ["git", "restore", "--source=HEAD", "--worktree", "."]
            subprocess.run(started, cwd=service, check=True)
            duration = seconds(lambda: run([*command], service))
            if NEW not in (service / "Makefile").read_text():
                raise RuntimeError(f"{command[0]} brought in nothing")
            return duration

        copier = (python, "-m", "copier", "update", "--trust", "--defaults", "--quiet")
        series_by_name = in_turn(
            {"make": lambda: update("make", "template-update"), "copier": lambda: update(*copier)},
            ROUNDS,
        )
    for name, series in series_by_name.items():
        figure(f"update over one release, {name}", series, "s")
    ratio = series_by_name["make"].over(series_by_name["copier"])
    goal, holds = f"<= {GOAL}", ratio.median <= GOAL
    claim("make template-update", ratio, against="a bare copier update", goal=goal, holds=holds)


if __name__ == "__main__":
    main()
