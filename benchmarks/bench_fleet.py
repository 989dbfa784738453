"""Measure the speed-up of simulated updates with two jobs instead of one.

Run it with `uv run --group test python -m benchmarks.bench_fleet`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import QUICK, figure, in_turn, ratio, seconds

from tests.support.combinations import COMBINATIONS
from tests.support.git import commit_all
from tests.support.rendering import ROOT, render, snapshot

SERVICES = 2 if QUICK else 8
RELEASES = 4
ALIKE = RELEASES * len(COMBINATIONS)
"""Number of different services. Further ones are copies."""

GOAL = 1.7


def main() -> None:
    """Measure, and print the ratio."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        services = make_services(Path(folder), SERVICES)

        def rehearse(jobs: int) -> float:
            command = [sys.executable, "-m", "fleet", "check", str(services), f"--jobs={jobs}"]
            return seconds(lambda: run(command))

        contestants = {"one": lambda: rehearse(1), "two": lambda: rehearse(2)}
        measured = in_turn(contestants)
    for name, series in measured.items():
        figure(f"simulated updates of {SERVICES} services, {name} at a time", series, "s")
    ratios = measured["one"].over(measured["two"])
    ratio("speed of simulated updates with two jobs", ratios, "one job", at_least=GOAL)


def run(command: list[str]) -> None:
    """Run the command. It must report that some services are behind, and no failures."""
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if ended.returncode != 2:  # noqa: PLR2004 - the status that `fleet check --help` documents
        raise RuntimeError(ended.stdout + ended.stderr)


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
            service, same = services / f"service-{number}", services / f"service-{number - ALIKE}"
            if number >= ALIKE:
                shutil.copytree(same, service)
            else:
                features = COMBINATIONS[number // RELEASES].answers
                commit_all(render(template, service, **features))
    makefile.write_text(f"# The newest release\n{makefile.read_text()}")
    commit_all(template, tag="v2.0.0")
    return services


if __name__ == "__main__":
    main()
