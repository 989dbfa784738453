"""Run nox's sessions as CI does: three side by side, then those that measure time one by one.

Each session's output is printed when the session ends. Then follow the closing lines of all of
pytest's runs, and a table of the time that each session took. The exit code is 1 if a session
failed. Whatever ends this program, nothing that it started goes on.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO

NOX = (sys.executable, "-m", "nox")
LONGEST_FIRST = (
    *("updates", "services", "internals", "tests", "harness", "hostile"),
    *("quick_benchmarks", "lint"),
)
"""The order of starting, so that both cores are busy to the end. Other sessions start first."""

SIDE_BY_SIDE = 3
"""One more than there are cores: sessions wait for servers and files a third of their time."""

STOP_TIMEOUT = 60.0
CLOSING = re.compile(
    r"(FAILED|ERROR) |=+ .*(passed|failed|error|no tests ran).* =+$"
    r"|nox > Session .* (failed|skipped|was aborted)"
)


@dataclass
class Session:
    """A session of nox that runs as a process group."""

    name: str
    output: IO[bytes] = field(default_factory=TemporaryFile)
    started: float = field(default_factory=time.monotonic)
    status: int | None = None
    seconds: float = 0.0
    cpu: float = 0.0

    def __post_init__(self) -> None:
        """Start it."""
        print(f"{self.name} starts", flush=True)
        self.pid = subprocess.Popen(
            [*NOX, "-s", self.name],
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ).pid

    @property
    def text(self) -> str:
        """What it has printed."""
        self.output.seek(0)
        return self.output.read().decode(errors="replace")

    def runs(self) -> bool:
        """Say whether it runs; print its output as soon as it has ended."""
        if self.status is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                self.seconds = time.monotonic() - self.started
                self.cpu = usage.ru_utime + usage.ru_stime
                print(f"\n{self.name}\n{self.text}", flush=True)
        return self.status is None

    def stop(self) -> None:
        """Interrupt it as Ctrl-C does, and kill what is left of it after a while."""
        deadline = time.monotonic() + STOP_TIMEOUT
        if self.runs():
            self.send(signal.SIGINT)
        while self.runs() and time.monotonic() < deadline:
            time.sleep(0.1)
        self.send(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all of its processes."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def names(tag: str) -> list[str]:
    """List the sessions with a tag, in the order of starting."""
    output = subprocess.run([*NOX, "--list", "--json", "--tags", tag], check=True, stdout=-1).stdout
    sessions = [session["session"] for session in json.loads(output)]
    order = {name: number for number, name in enumerate(LONGEST_FIRST)}
    return sorted(sessions, key=lambda name: order.get(name, -1))


def run(waiting: list[str], limit: int, sessions: list[Session]) -> None:
    """Run sessions, so many of them at a time."""
    waiting = list(waiting)
    running: list[Session] = []
    while waiting or running:
        while waiting and len(running) < limit:
            running.append(Session(waiting.pop(0)))
            sessions.append(running[-1])
        time.sleep(0.1)
        running = [session for session in running if session.runs()]


def summary(sessions: list[Session]) -> str:
    """Return the closing lines of all sessions, and the table of their time."""
    lines = [
        line for session in sessions for line in session.text.splitlines() if CLOSING.match(line)
    ]
    table = [f"{'session':17}{'status':>8}{'seconds':>9}{'CPU s':>9}"]
    table += [
        f"{session.name:17}{session.status!s:>8}{session.seconds:9.0f}{session.cpu:9.0f}"
        for session in sessions
    ]
    return "\n".join([*lines, *table])


def interrupt(number: int, _frame: object) -> None:
    """End as Ctrl-C does."""
    raise SystemExit(128 + number)


def main() -> int:
    """Run all sessions, and return the exit code."""
    # What a shell runs in the background ignores SIGINT, and so would every process from here on.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    sessions: list[Session] = []
    try:
        run(names("side-by-side"), SIDE_BY_SIDE, sessions)
        run(names("alone"), 1, sessions)
    finally:
        for session in sessions:
            session.stop()
        print(summary(sessions), flush=True)
    return int(any(session.status for session in sessions))


if __name__ == "__main__":
    sys.exit(main())
