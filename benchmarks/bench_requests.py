"""Measure the example's requests against applications written by hand, and a generator's service.

Requests per second, the 99th percentile and the CPU time of get, list and create: by one process
with 32 and with 10 connections, and by two processes. All run without development tools.

Run it with `uv run --group test python -m benchmarks.bench_requests`; it needs the program wrk.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.installed import IMAGE, installed_service
from benchmarks.load import check_wrk, load
from benchmarks.machine import cores
from benchmarks.measure import QUICK, Series, figure, ratio, rotated
from benchmarks.peer import PEER, rendered_peer
from benchmarks.serving import (
    BARE,
    HAND_WRITTEN,
    PATHS,
    SERVICE,
    contestants,
    filled_database,
    served,
)

if TYPE_CHECKING:
    from benchmarks.load import Load
    from benchmarks.serving import Database, Served

CASES = ((1, 32), (1, 10), (2, 32))
"""Numbers of processes and of connections."""

GOALS = {
    ("get", HAND_WRITTEN): 2.0,
    ("list", HAND_WRITTEN): 2.0,
    ("create", HAND_WRITTEN): 1.5,
    ("get", BARE): 0.45,
    ("list", BARE): 0.55,
}
"""How many times the requests of another the service answers, in the first case."""

COMPARED_WITH = {
    HAND_WRITTEN: "hand-written FastAPI and SQLAlchemy",
    "hand-written, tuned": "the same, tuned like the service",
    BARE: "bare Starlette and asyncpg",
    PEER: f"{PEER}, with smaller rows",
}


def main() -> None:
    """Serve all contestants from one server, load them in turn, and report."""
    check_wrk()
    with installed_service() as service, ExitStack() as stack:
        database = stack.enter_context(filled_database(service))
        python = service / IMAGE / "bin/python"
        peer = rendered_peer(service.parent, python, database.url)
        for number, connections in CASES[:1] if QUICK else CASES:
            rivals = contestants(service, database.url, processes=number) | {PEER: peer}
            with ExitStack() as case:
                running = {
                    name: [case.enter_context(served(rival)) for _ in range(number)]
                    for name, rival in rivals.items()
                }
                for kind in PATHS:
                    measure(kind, running, connections, database)


def measure(
    kind: str, running: dict[str, list[Served]], connections: int, database: Database
) -> None:
    """Load each contestant that answers this kind of request, in turn, and report."""
    able = {
        name: partial(load, kind, some, connections, database)
        for name, some in running.items()
        if kind in some[0].contestant.paths
    }
    loads = rotated(able)
    number = len(running[SERVICE])
    by = f"{number} process{'es' if number > 1 else ''}, {connections} connections"
    if kind == "get":
        print(f"{by}: {cores(number).separation}", flush=True)
    rates = {name: series(each, "rate") for name, each in loads.items()}
    times = {name: series(each, "cpu_us") for name, each in loads.items()}
    for name, words in COMPARED_WITH.items():
        if name in loads:
            goal = GOALS.get((kind, name)) if (number, connections) == CASES[0] else None
            ratio(f"{kind}, {by}", rates[SERVICE].over(rates[name]), words, at_least=goal)
            ratio(f"CPU time of {kind}, {by}", times[SERVICE].over(times[name]), words)
    for name, each in loads.items():
        figure(f"{kind}, {by}, {name}", rates[name], "requests/s")
        figure(f"{kind}, {by}, {name}, CPU time of a request", times[name], "µs")
        figure(f"{kind}, {by}, {name}, 99th percentile", series(each, "late_ms"), "ms")


def series(loads: list[Load], name: str) -> Series:
    """Return one kind of figure of all rounds."""
    return Series(tuple(getattr(one, name) for one in loads))


if __name__ == "__main__":
    main()
