"""The machine: its description, the cores on which programs run, and the CPU time that they use."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil


@dataclass(frozen=True)
class Cores:
    """The cores of the applications, of the database and of the load."""

    applications: list[int]
    database: list[int]
    load: list[int]
    separation: str


def cores(processes: int) -> Cores:
    """Give each process of the application a core, and share the others, if any are left."""
    every = psutil.Process().cpu_affinity() if hasattr(psutil.Process, "cpu_affinity") else []
    ours, others = every[:processes], every[processes:]
    if not others:
        return Cores(every, every, every, "load, database and application share all cores")
    if len(others) == 1:
        separation = "each application process on its own core; database and load share another"
        return Cores(ours, others, others, separation)
    return Cores(ours, others[:1], others[1:], "load, database and application on separate cores")


def pin(process: psutil.Process, numbers: list[int]) -> None:
    """Run a process and all that it has started on these cores, where the system allows that."""
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess, AttributeError):
            if numbers:
                one.cpu_affinity(numbers)


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU time that a process has used, as the operating system accounts for it."""
    times = process.cpu_times()
    return float(times.user + times.system)


def description() -> str:
    """Describe the machine, and how busy it is now."""
    day = datetime.now(tz=UTC).date().isoformat()
    load = os.getloadavg()[0]
    python = platform.python_version()
    return f"{day}, {os.cpu_count()} cores, Python {python}, load {load:.1f} before the start"
