"""Measure the start of a service: by phase, and with its memory against other applications.

The phases are those of one process without development tools: from the start of the interpreter to
the answer to a first request. The memory is that of a process after some load.

Run it with `uv run --group test python -m benchmarks.bench_start`; it needs the program wrk.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.installed import IMAGE, installed_service, run
from benchmarks.load import check_wrk, load
from benchmarks.measure import ROUNDS, Series, figure, ratio, rotated, seconds
from benchmarks.serving import HAND_WRITTEN, SERVICE, contestants, filled_database, served

if TYPE_CHECKING:
    from benchmarks.serving import Contestant, Database

CONNECTIONS = 32
MEMORY_GOAL = 1.10
MIB = 1024 * 1024
AGAINST = "hand-written FastAPI and SQLAlchemy"
PHASES = Path(__file__).with_name("inside_start.py")


def main() -> None:
    """Measure, and report."""
    check_wrk()
    with installed_service() as service, filled_database(service) as database:
        compare(contestants(service, database.url), database)
        report_phases(service, database.url)


def compare(rivals: dict[str, Contestant], database: Database) -> None:
    """Start each contestant in each round, and load it for a moment."""
    rounds = rotated({name: partial(start, one, database) for name, one in rivals.items()})
    starts = {name: Series(tuple(start for start, _ in each)) for name, each in rounds.items()}
    memory = {name: Series(tuple(used for _, used in each)) for name, each in rounds.items()}
    ratios = memory[SERVICE].over(memory[HAND_WRITTEN])
    ratio("memory of a process after load", ratios, AGAINST, at_most=MEMORY_GOAL)
    ratio("start to first answer", starts[SERVICE].over(starts[HAND_WRITTEN]), AGAINST)
    for name in rivals:
        figure(f"memory of a process after load, {name}", memory[name], "MiB")
        figure(f"start to first answer, {name}", starts[name], "s")


def start(contestant: Contestant, database: Database) -> tuple[float, float]:
    """Return the seconds from the start to a first answer, and the MiB after some load."""
    with served(contestant) as one:
        load("get", [one], CONNECTIONS, database)
        return one.started_in, one.process.memory_full_info().uss / MIB


def report_phases(service: Path, url: str) -> None:
    """Measure each phase of the start in new interpreters with compiled code."""
    python = str(service / IMAGE / "bin/python")
    (service / PHASES.name).write_text(PHASES.read_text())
    rounds = [phases([python, PHASES.name], service, url) for _ in range(ROUNDS + 1)]
    for name in rounds[0]:
        figure(f"start: {name}", Series(tuple(each[name] for each in rounds[1:])), "s")


def phases(command: list[str], service: Path, url: str) -> dict[str, float]:
    """Start a service once, and return the seconds of each phase."""
    found: dict[str, float] = {}

    def measured() -> None:
        output = run(command, service, DATABASE_URL=url)
        found.update(json.loads(output.splitlines()[-1]))

    whole = seconds(measured)
    return {"interpreter and its end": whole - sum(found.values()), **found, "whole": whole}


if __name__ == "__main__":
    main()
