"""Put load on contestants with wrk, and read requests per second, delays and CPU time."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.machine import cores, cpu_seconds, pin
from benchmarks.measure import QUICK
from benchmarks.serving import CONTESTANTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.serving import Database, Served

SECONDS = 1 if QUICK else 2
MILLISECONDS = {"us": 0.001, "ms": 1, "s": 1000}


@dataclass(frozen=True)
class Load:
    """What a load gave: requests per second, the slowest hundredth, and CPU time per request."""

    rate: float
    late_ms: float
    cpu_us: float


def check_wrk() -> None:
    """Exit and say what to do when the program wrk is missing. A quick run does without."""
    if shutil.which("wrk") is None:
        print("wrk is missing: install it, on Debian with `apt-get install wrk`", file=sys.stderr)
        sys.exit(0 if QUICK else 1)


def load(kind: str, processes: Sequence[Served], connections: int, database: Database) -> Load:
    """Load the processes of one contestant at once, programs on separate cores where possible."""
    places = cores(len(processes))
    for number, one in enumerate(processes):
        pin(one.process, places.applications[number % len(processes) :][:1])
    pin(database.process, places.database)
    before = sum(cpu_seconds(one.process) for one in processes)
    running = [start(kind, one, connections // len(processes), places.load) for one in processes]
    requests, rate, late = 0, 0.0, 0.0
    for process in running:
        output, _ = process.communicate()
        if failure := re.search(r"Non-2xx.*|Socket errors.*", output):
            sys.exit(f"{kind}: {failure[0]}")
        requests += int(re.findall(r"(\d+) requests in", output)[0])
        rate += float(re.findall(r"Requests/sec:\s+([\d.]+)", output)[0])
        number_text, unit = re.findall(r"99%\s+([\d.]+)(us|ms|s)", output)[0]
        late = max(late, float(number_text) * MILLISECONDS[unit])
    used = sum(cpu_seconds(one.process) for one in processes) - before
    return Load(rate, late, used / requests * 1e6)


def start(kind: str, one: Served, connections: int, numbers: list[int]) -> subprocess.Popen[str]:
    """Start wrk on some cores."""
    wrk = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--timeout=10s", "--latency"]
    if numbers and shutil.which("taskset"):
        wrk = ["taskset", "-c", ",".join(map(str, numbers)), *wrk]
    if kind == "create":
        wrk += [f"-s{CONTESTANTS / 'create.lua'}"]
    arguments = [*one.contestant.new, uuid.uuid4().hex[:12].upper()]
    command = [*wrk, one.address(kind), "--", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
