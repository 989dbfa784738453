"""Measure the share of each layer in the CPU time of a read.

A sampling profiler observes a service under load from another process, without slowing it down.

Run it with `uv run --group benchmarks python -m benchmarks.bench_profile`; it needs wrk.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.installed import installed_service
from benchmarks.load import check_wrk
from benchmarks.measure import QUICK, ROUNDS, Series, figure
from benchmarks.serving import SERVICE, contestants, filled_database, served

if TYPE_CHECKING:
    from benchmarks.serving import Served

SECONDS = 1 if QUICK else 5
RATE = 500
CONNECTIONS = 32
LAYERS = {
    "SQLAlchemy": {"sqlalchemy"},
    "asyncpg": {"asyncpg"},
    "FastAPI, Starlette and Pydantic": {
        "_pydantic_core",
        "anyio",
        "fastapi",
        "opentelemetry",
        "pydantic",
        "starlette",
    },
    "uvicorn": {"uvicorn"},
    "the service's own code and its log": {"orders", "structlog", "uuid_utils"},
}
"""The packages of each layer. The standard library counts for its caller."""

OTHER = "others"
PACKAGE = re.compile(r"/site-packages/(\w+)|/orders/(orders)/")


def main() -> None:
    """Profile a service under load, and print the shares."""
    check_wrk()
    with installed_service() as service, ExitStack() as stack:
        database = stack.enter_context(filled_database(service))
        one = stack.enter_context(served(contestants(service, database.url)[SERVICE]))
        rounds = [shares(one, service) for _ in range(ROUNDS)]
    for layer in (*LAYERS, OTHER):
        figure(f"a read, {layer}", Series(tuple(each[layer] for each in rounds)), "%")


def shares(one: Served, folder: Path) -> Counter[str]:
    """Return the percentage of each layer in the samples."""
    stacks = folder / "stacks"
    wrk = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{SECONDS + 2}s", one.address("get")]
    with subprocess.Popen(wrk, stdout=subprocess.DEVNULL):
        subprocess.run(
            [
                Path(sys.executable).with_name("py-spy"),
                "record",
                f"--pid={one.process.pid}",
                f"--duration={SECONDS}",
                f"--rate={RATE}",
                "--format=raw",
                "--full-filenames",
                f"--output={stacks}",
            ],
            check=True,
            capture_output=True,
        )
    counts: Counter[str] = Counter()
    for line in stacks.read_text().splitlines():
        frames, _, count = line.rpartition(" ")
        counts[layer(frames)] += int(count)
    return Counter({name: 100 * count / counts.total() for name, count in counts.items()})


def layer(frames: str) -> str:
    """Return the layer of the innermost frame in a stack such as `outer;inner`."""
    for frame in reversed(frames.split(";")):
        if package := PACKAGE.search(frame):
            name = next(filter(None, package.groups()))
            return next((one for one, names in LAYERS.items() if name in names), OTHER)
    return OTHER


if __name__ == "__main__":
    main()
