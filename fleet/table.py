"""The fleet in a terminal: a table, and how far the work has come."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from .report import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .places import Entry
    from .report import Report, Service

WIDE = 160
"""Columns of a table that goes into a file or a log."""

STYLES = {
    State.UNKNOWN: "bold",
    State.CONFLICT: "red",
    State.FAILING: "magenta",
    State.BEHIND: "yellow",
    State.AHEAD: "cyan",
    State.CURRENT: "green",
}


class Watcher:
    """Shows the progress: a bar in a terminal, otherwise one line per finished service."""

    def __init__(self, console: Console, total: int, progress: Progress) -> None:
        """Show the progress of `total` services."""
        self._console, self._total, self._progress = console, total, progress
        self._task = progress.add_task("", total=total)
        self._running: list[str] = []
        self._done = 0

    def starts(self, entry: Entry) -> None:
        """Show that the check of a service starts."""
        self._running.append(entry.name)
        self._show()

    def ends(self, service: Service) -> None:
        """Show that the check of a service has ended."""
        self._running.remove(service.name)
        self._done += 1
        self._show()
        if not self._console.is_terminal:
            line = f"{self._done} of {self._total}: {service.name} {service.state}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _show(self) -> None:
        names = escape(", ".join(self._running))
        self._progress.update(self._task, completed=self._done, description=names)


@contextmanager
def watched(total: int) -> Iterator[Watcher]:
    """Show the progress on standard error."""
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    words = TextColumn("{task.description}")
    with Progress(
        *columns, words, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield Watcher(console, total, progress)


def show(report: Report, console: Console | None = None) -> None:
    """Print the table and the summary."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, WIDE)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("service", "state", "release", "behind", "features", "files", "tests", "notes"):
        table.add_column(heading, overflow="fold")
    for service in report.services:
        style = STYLES[service.state]
        cells = map(escape, cells_of(service))
        name, state, *others = cells
        table.add_row(name, f"[{style}]{state}[/]", *others)
    console.print(table)
    console.print(f"\n{summary(report)}", markup=False)


def cells_of(service: Service) -> list[str]:
    """Return the cells of a service's row."""
    release = service.release
    if service.behind:
        release = f"{release} -> {service.target}"
    return [
        service.name,
        service.state,
        release,
        str(len(service.behind) or ""),
        " ".join(features(service)),
        str(len(service.changed_files) or ""),
        service.tests.outcome if service.tests else "",
        "; ".join(notes(service)),
    ]


def features(service: Service) -> list[str]:
    """Return the questions with the answer yes."""
    return [name for name, answer in service.answers.items() if answer is True]


def notes(service: Service) -> list[str]:
    """Return remarks about a service."""
    texts = [service.reason] if service.reason else []
    if service.conflicts:
        texts.append(f"conflicts in {', '.join(service.conflicts)}")
    if service.changed_answers:
        texts.append(f"changes the answers to {', '.join(service.changed_answers)}")
    if service.tests and service.tests.outcome != "passed":
        texts.append(service.tests.summary)
    if service.uncommitted:
        texts.append("uncommitted changes were ignored")
    return texts


def summary(report: Report) -> str:
    """Count the services by state."""
    total = len(report.services)
    counts = ", ".join(f"{number} {state}" for state, number in report.counts.items())
    counted = f"{total} service{'' if total == 1 else 's'}: {counts or 'none'}."
    return counted if report.complete else f"{counted} Interrupted: other services are missing."
