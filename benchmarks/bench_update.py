"""Measure `make template-update`: against a bare `copier update`, and by phase.

The comparison is over a release that changes a line of the Makefile, so neither locks dependencies.
Both run the same copier. The phases are those of an update from the newest release in the history
to the working tree. The service has the working tree's updater: it is what is measured.

Run it with `uv run --group test python -m benchmarks.bench_update`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.installed import run
from benchmarks.measure import ROUNDS, Series, figure, in_turn, ratio, seconds

from tests.support.git import commit_all, git
from tests.support.history import releases, repository
from tests.support.releases import FIRST, NEW, Repository
from tests.support.rendering import render, snapshot

GOAL = 1.3
SCRIPT = "--script=development/template.py"
PHASES = Path(__file__).with_name("inside_update.py")
UPDATER = "template/development/updating"
COMMAND = "template/development/template.py"


def main() -> None:
    """Measure, and print the ratio and the phases."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        compare(Path(folder))
    with TemporaryDirectory(prefix="benchmark-") as folder:
        report_phases(Path(folder))


def compare(folder: Path) -> None:
    """Compare an update over one release with a bare one."""
    template, service = folder / "template", folder / "orders"
    template.mkdir()
    release = Repository(snapshot(template)).release
    release("v1.0.0", news="The first one.")
    commit_all(render(template, service))
    release("v1.1.0", FIRST, news="The second one.")
    bare = (python_of(service), "-m", "copier", "update", "--trust", "--defaults", "--quiet")
    measured = in_turn(
        {
            "make": partial(update, service, "make", "template-update"),
            "copier": partial(update, service, *bare),
        }
    )
    ratios = measured["make"].over(measured["copier"])
    ratio("make template-update over one release", ratios, "a bare copier update", at_most=GOAL)
    for name, series in measured.items():
        figure(f"update over one release, {name}", series, "s")


def update(service: Path, *command: str) -> float:
    """Update a service that is as it was committed, and return the seconds that it takes."""
    restore(service)
    taken = seconds(lambda: run([*command], service))
    if NEW not in (service / "Makefile").read_text():
        raise RuntimeError(f"{command[0]} brought in nothing")
    return taken


def report_phases(folder: Path) -> None:
    """Measure each phase of a full update of a service with its lock file."""
    template, start = repository(folder / "template"), releases()[-1]
    service = template.service(folder / "orders", with_new_updater(template.folder, start))
    run(["uv", "lock", "--quiet"], service)
    commit_all(service)
    python = python_of(service)
    rounds = [phases(service, python) for _ in range(ROUNDS)]
    for name in rounds[0]:
        series = Series(tuple(each[name] for each in rounds))
        figure(f"update from {start} to the working tree: {name}", series, "s")


def with_new_updater(template: Path, start: str) -> str:
    """Tag a release that is an earlier one with the newest updater, and return the tag."""
    newest, tag = git(template, "rev-parse", "HEAD"), f"{start.rpartition('.')[0]}.999"
    git(template, "checkout", "--quiet", "--detach", start)
    shutil.rmtree(template / UPDATER)
    git(template, "checkout", newest, "--", UPDATER, COMMAND)
    commit_all(template, tag=tag)
    git(template, "checkout", "--quiet", "--detach", newest)
    return tag


def phases(service: Path, python: str) -> dict[str, float]:
    """Update a service that is as it was committed, and return the seconds of each phase."""
    restore(service)
    file = service.parent / "phases"
    found: dict[str, float] = {}

    def measured() -> None:
        run([python, str(PHASES), str(file)], service)

    whole = seconds(measured)
    found |= json.loads(file.read_text())
    return found | {"everything else": whole - sum(found.values()), "whole": whole}


def restore(service: Path) -> None:
    """Bring a service back to its commit."""
    for command in (("reset", "--quiet", "--hard"), ("clean", "--quiet", "--force", "-d")):
        subprocess.run(["git", *command], cwd=service, check=True)


def python_of(service: Path) -> str:
    """Return the interpreter with which `make template-update` runs, its packages installed."""
    run(["uv", "sync", "--quiet", SCRIPT], service)
    return run(["uv", "python", "find", SCRIPT], service).strip()


if __name__ == "__main__":
    main()
