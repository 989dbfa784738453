"""The report about services, and its JSON format."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

INTERRUPTED = 130
"""The usual exit status of an interrupted command."""


class ReportError(Exception):
    """A file that is not a report of this format."""


class State(StrEnum):
    """The state of a service, most urgent first."""

    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    FAILING = "failing"
    BEHIND = "behind"
    AHEAD = "ahead"
    CURRENT = "current"

    @property
    def urgency(self) -> int:
        """The position in a list that starts with the most urgent state."""
        return list(State).index(self)


class Model(BaseModel):
    """A part of the report. Unknown names are refused."""

    model_config = ConfigDict(extra="forbid")


class Trial(Model):
    """A run of a service's own tests after the update."""

    outcome: Literal["passed", "failed", "unfinished"]
    summary: str
    output: str = ""


class Service(Model):
    """The results for one service. Unknown values keep their defaults."""

    name: str
    place: str
    state: State = State.UNKNOWN
    reason: str = ""
    source: str = ""
    release: str = ""
    target: str = ""
    behind: list[str] = Field(default_factory=list)
    answers: dict[str, JsonValue] = Field(default_factory=dict)
    changed_answers: dict[str, JsonValue] = Field(default_factory=dict)
    conflicts: list[str] = Field(default_factory=list)
    changed_files: list[str] = Field(default_factory=list)
    uncommitted: bool = False
    tests: Trial | None = None
    seconds: float = 0


class Report(Model):
    """The results for all services, most urgent first."""

    format: Literal[1] = 1
    made: datetime = Field(default_factory=lambda: datetime.now(UTC))
    complete: bool = True
    services: list[Service]

    @classmethod
    def of(cls, services: Iterable[Service], *, complete: bool = True) -> Report:
        """Create a report about services with the current time."""
        return cls(services=by_urgency(services), complete=complete)

    @classmethod
    def read(cls, path: Path) -> Report:
        """Read a report from a JSON file.

        Raises:
            ReportError: the file cannot be read, or has another format.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ReportError(f"{path} cannot be read: {error.strerror}") from error
        except ValidationError as error:
            raise ReportError(f"{path} is not a report of format 1: {explain(error)}") from error

    def write(self, path: Path) -> None:
        """Write the report as JSON."""
        path.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @property
    def counts(self) -> dict[State, int]:
        """The number of services in each state."""
        counted = Counter(service.state for service in self.services)
        return {state: counted[state] for state in State if counted[state]}

    @property
    def status(self) -> int:
        """The exit status for this report."""
        if not self.complete:
            return INTERRUPTED
        if set(self.counts) & {State.UNKNOWN, State.CONFLICT, State.FAILING}:
            return 1
        return 2 if State.BEHIND in self.counts else 0


def merge(reports: Iterable[Report]) -> Report:
    """Combine reports. If a service is in several reports, the newest counts."""
    ordered = sorted(reports, key=lambda report: report.made)
    latest = {service.place: service for report in ordered for service in report.services}
    return Report(
        made=max((report.made for report in ordered), default=datetime.now(UTC)),
        complete=all(report.complete for report in ordered),
        services=by_urgency(latest.values()),
    )


def by_urgency(services: Iterable[Service]) -> list[Service]:
    """Sort services by state, then by the number of releases behind, then by name."""

    def rank(service: Service) -> tuple[int, int, str, str]:
        return service.state.urgency, -len(service.behind), service.name, service.place

    return sorted(services, key=rank)


def explain(error: ValidationError) -> str:
    """Describe the first error in one line, without the value, which might be a secret."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'all of it'}: {first['msg']}"
