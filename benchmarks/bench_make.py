"""Measure what a developer waits for: a cold `make test`, a warm one, and `make domain`.

Cold means a service as it was just rendered: no environment, no lock file, no cache but uv's own,
and no cluster of PostgreSQL from an earlier run.

Run it with `uv run --group test python -m benchmarks.bench_make`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.installed import run
from benchmarks.measure import QUICK, ROUNDS, Series, figure, seconds

from tests.support.rendering import render, snapshot

ADD_DOMAIN = ("make", "domain", "name=invoice", "fields=number:str:unique total:money due:date")
FEW_TESTS = {"PYTEST_ADDOPTS": "tests/unit -n 1"}


def main() -> None:
    """Measure, and report."""
    # Not in a private folder: PostgreSQL's own account must reach it if we are root.
    with TemporaryDirectory(prefix="benchmark-") as folder:
        template = Path(folder) / "template"
        template.mkdir()
        snapshot(template)
        rounds = [measure(template, Path(folder) / "orders") for _ in range(ROUNDS)]
    for name in rounds[0]:
        figure(name, Series(tuple(each[name] for each in rounds)), "s")


def measure(template: Path, service: Path) -> dict[str, float]:
    """Render a service, and return the seconds of each command in it."""
    shutil.rmtree(service, ignore_errors=True)
    render(template, service)
    variables = FEW_TESTS if QUICK else {}

    def test() -> None:
        run(["make", "test"], service, **variables)

    found = {"cold make test": seconds(test)}
    if not QUICK:  # tests/services runs these
        found["make test again"] = seconds(test)
        found["make domain"] = seconds(lambda: run([*ADD_DOMAIN], service))
    return found


if __name__ == "__main__":
    main()
