"""The results of a load during a fault: counts to check, and a line to show."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

HEADER = ("fault", "requests", "by status", "slowest", "first good answer", "lost")
HANG = "hang"
BROKEN = "broken"
REFUSED = "refused"


@dataclass(frozen=True)
class Answer:
    """One request: when it was sent and finished, on a monotonic clock, and its outcome.

    `outcome` is a status, or one of `HANG`, `BROKEN` and `REFUSED`; `flaw` describes an error in
    the response, whatever its status.
    """

    sent: float
    over: float
    outcome: int | str
    flaw: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether the service did what it was asked to."""
        return isinstance(self.outcome, int) and self.outcome < 400


@dataclass(frozen=True)
class Figures:
    """The results of a load during one fault."""

    fault: str
    answers: list[Answer]
    ended: float
    """When the fault was over."""
    lost: int
    """The number of acknowledged writes that are not in the database."""

    @property
    def outcomes(self) -> Counter[str]:
        """The number of requests by outcome."""
        return Counter(str(answer.outcome) for answer in self.answers)

    @property
    def recovery(self) -> float | None:
        """Seconds from the fault's end to the first good response to a later request."""
        answered_at = [
            answer.over for answer in self.answers if answer.is_good and answer.sent >= self.ended
        ]
        return min(answered_at) - self.ended if answered_at else None

    def row(self) -> tuple[str, ...]:
        """Return the cells of this fault's line, in the order of `HEADER`."""
        slowest = max(answer.over - answer.sent for answer in self.answers)
        recovery = "never" if self.recovery is None else f"{self.recovery * 1000:.0f} ms"
        counts = " ".join(f"{name}:{count}" for name, count in sorted(self.outcomes.items()))
        cells = (len(self.answers), counts, f"{slowest:.2f} s", recovery, self.lost)
        return (self.fault, *map(str, cells))

    def check(self, *allowed: int | str) -> None:
        """Check what holds for every fault: no hang, no bad response, no lost write, and recovery.

        Args:
            *allowed: outcomes that are allowed besides success.
        """
        flaws = {answer.flaw for answer in self.answers if answer.flaw}
        assert not flaws, flaws
        outcomes = {answer.outcome for answer in self.answers if not answer.is_good}
        assert outcomes <= set(allowed), self.outcomes
        assert self.recovery is not None, "no good answer after the fault"
        assert self.lost == 0


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Return the lines of a table with these rows, its columns aligned."""
    table_rows = [HEADER, *rows]
    widths = [max(len(row[column]) for row in table_rows) for column in range(len(HEADER))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table_rows
    ]
