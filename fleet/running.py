"""Simulate many updates in parallel, each in its own process with a time limit."""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import connection, get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import psutil

from . import git
from .redaction import redact, secrets
from .rehearsal import TESTING, Plan, rehearse
from .report import Service, State
from .trial import verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext, ForkServerProcess

    from .places import Entry

MARK = "FLEET_REHEARSAL"
"""A variable that all descendants of a process inherit, even outside its process group."""

GRACE = 5.0
"""Seconds that remaining processes have to exit before they are killed."""

STARTED = "it was started"
TEMPLATES = "templates"


@dataclass(frozen=True)
class Order:
    """The input of a process that checks one service."""

    entry: Entry
    plan: Plan
    folder: Path
    variables: Mapping[str, str]


class Rehearsal:
    """A running check of one service in another process."""

    def __init__(self, order: Order, process: ForkServerProcess, messages: Connection) -> None:
        """Follow a process that has just started and reports its results."""
        self.messages = messages
        self._order, self._process = order, process
        self._known = Service(name=order.entry.name, place=order.entry.place)
        self._stage, self._limit = STARTED, order.plan.limit
        self._begun = self._since = time.monotonic()

    @property
    def left(self) -> float:
        """Seconds until the time limit."""
        return self._since + self._limit - time.monotonic()

    def listen(self) -> bool:
        """Receive a report of the process, and return whether the process continues."""
        try:
            self._stage, service = self.messages.recv()
        except (EOFError, OSError):
            if self._stage:
                self.fail(f"the check ended unexpectedly while {self._stage}")
            return False
        self._known = Service.model_validate_json(service)
        if self._stage == TESTING:
            self._limit, self._since = self._order.plan.test_limit, time.monotonic()
        return bool(self._stage)

    def give_up(self) -> None:
        """Record that the check reached its time limit."""
        if self._stage == TESTING:
            self._known.tests = verdict("unfinished", self._order.folder / "output")
        self.fail(f"it took longer than {self._limit:g} s while {self._stage}")

    def fail(self, reason: str) -> None:
        """Record why the service could not be checked."""
        state = State.FAILING if self._stage == TESTING else State.UNKNOWN
        self._known.state, self._known.reason = state, reason

    def end(self) -> Service:
        """End the processes, remove the files, and return the results without secrets."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.pid and self._process.is_alive():
                with suppress(ProcessLookupError):  # it does not lead a process group yet
                    os.killpg(self._process.pid, number)
                with suppress(ProcessLookupError):
                    os.kill(self._process.pid, number)
            self._process.join(GRACE)
        self.messages.close()
        sweep(self._order.folder)
        shutil.rmtree(self._order.folder, ignore_errors=True)
        self._known.seconds = round(time.monotonic() - self._begun, 2)
        secret_values = secrets(self._order.entry.place) | secrets(self._known.source)
        return Service.model_validate(redact(self._known.model_dump(mode="json"), secret_values))


def check(
    entries: Sequence[Entry], plan: Plan, jobs: int, starts: Callable[[Entry], None]
) -> Generator[Service, None, None]:
    """Check the services, `jobs` at a time, and yield each result.

    Closing the generator ends all processes and removes all temporary files.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["fleet.rehearsal"])
    waiting, running = list(reversed(entries)), list[Rehearsal]()
    with TemporaryDirectory(prefix="fleet-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary).resolve()
        (folder / TEMPLATES).mkdir()
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    entry = waiting.pop()
                    order = Order(entry, plan, folder / str(len(waiting)), dict(os.environ))
                    running.append(start(order, context))
                    starts(entry)
                for rehearsal in wait(running):
                    service = rehearsal.end()
                    running.remove(rehearsal)
                    yield service
        finally:
            for rehearsal in running:
                rehearsal.end()


def start(order: Order, context: ForkServerContext) -> Rehearsal:
    """Start the check of one service in its own folder."""
    order.folder.mkdir()
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(sender, order))
    process.start()
    sender.close()
    return Rehearsal(order, process, receiver)


def wait(running: Sequence[Rehearsal]) -> list[Rehearsal]:
    """Wait for a report or a time limit, and return the checks that have ended."""
    timeout = max(0.0, min(rehearsal.left for rehearsal in running))
    ready = connection.wait([rehearsal.messages for rehearsal in running], timeout=timeout)
    finished = [
        rehearsal for rehearsal in running if rehearsal.messages in ready and not rehearsal.listen()
    ]
    for rehearsal in running:
        if rehearsal not in finished and rehearsal.left <= 0:
            rehearsal.give_up()
            finished.append(rehearsal)
    return finished


def work(sender: Connection, order: Order) -> None:
    """Check one service in this process, and report each stage at its start.

    The process leads a process group, so that its children can be ended with it.
    """
    os.setsid()
    (order.folder / "tmp").mkdir()
    process_variables = {"TMPDIR": str(order.folder / "tmp"), MARK: str(order.folder)}
    os.environ.clear()
    os.environ.update(git.environment(order.variables) | process_variables)
    os.chdir(order.folder)
    with (order.folder / "log").open("wb") as log:
        for printed in (1, 2):
            os.dup2(log.fileno(), printed)
    service = Service(name=order.entry.name, place=order.entry.place)

    def tell(stage: str) -> None:
        sender.send((stage, service.model_dump_json()))

    plan = replace(order.plan, variables=git.unattended(order.variables) | process_variables)
    rehearse(service, plan, order.folder.parent / TEMPLATES, tell)
    tell("")


def sweep(folder: Path) -> None:
    """End the remaining processes of a check after a grace period."""
    running = [process for process in psutil.process_iter() if mark(process) == str(folder)]
    _, alive = psutil.wait_procs(running, timeout=GRACE)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=GRACE)


def mark(process: psutil.Process) -> str:
    """Return the folder of the check that started a process, or an empty string."""
    try:
        return process.environ().get(MARK, "")
    except (psutil.Error, OSError):
        return ""
