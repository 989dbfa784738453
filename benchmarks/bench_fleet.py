"""Measure the speed-up of simulated updates with two jobs instead of one.

Run it with `uv run --group test python -m benchmarks.bench_fleet`, optionally with a number of
services.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import claim, figure, in_turn, seconds

from tests.support.combinations import COMBINATIONS
from tests.support.git import commit_all
from tests.support.rendering import ROOT, render, snapshot

ROUNDS = 3
SERVICES = 12
RELEASES = 4
ALIKE = RELEASES * len(COMBINATIONS)
"""Number of different services. Further ones are copies."""

GOAL = 1.7


def main() -> None:
    """Measure, and print the ratio."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else SERVICES
    with TemporaryDirectory(prefix="benchmark-") as folder:
        services = make_services(Path(folder), count)

        def rehearse(jobs: int) -> float:
            command = [sys.executable, "-m", "fleet", "check", str(services), f"--jobs={jobs}"]
            return seconds(lambda: run(command))

        contestants = {"one": lambda: rehearse(1), "two": lambda: rehearse(2)}
        series_by_name = in_turn(contestants, ROUNDS)
    for name, series in series_by_name.items():
        figure(f"simulated updates of {count} services, {name} at a time", series, "s")
    ratio = series_by_name["one"].over(series_by_name["two"])
    speed = "speed-up with two jobs instead of one"
    claim(speed, ratio, against="one job", goal=f">= {GOAL}", holds=ratio.median >= GOAL)


def run(command: list[str]) -> None:
    """Run the command. It must report that some services are behind, and no failures."""
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode != 2:  # noqa: PLR2004 - the status that `fleet check --help` documents
        raise RuntimeError(done.stdout + done.stderr)


def make_services(root: Path, count: int) -> Path:
    """Create services of all combinations and of several releases."""
    template, services = root / "template", root / "services"
    template.mkdir()
    snapshot(template)
    makefile = template / "template/Makefile.jinja"
    for release in range(RELEASES):
        makefile.write_text(f"# Release {release}\n{makefile.read_text()}")
        commit_all(template, tag=f"v1.{release}.0")
        for number in range(release, count, RELEASES):
            service, original = (
                services / f"service-{number}",
                services / f"service-{number - ALIKE}",
            )
            if number >= ALIKE:
                shutil.copytree(original, service)
            else:
                features = COMBINATIONS[number // RELEASES].answers
                commit_all(render(template, service, **features))
    makefile.write_text(f"# The newest release\n{makefile.read_text()}")
    commit_all(template, tag="v2.0.0")
    return services


if __name__ == "__main__":
    main()
