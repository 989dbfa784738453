"""What a load saw of a fault: the counts that are checked, and the line that is shown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

HEADER = ("fault", "requests", "by status", "slowest", "first good answer", "lost")
HANG = "hang"
BROKEN = "broken"
REFUSED = "refused"


@dataclass(frozen=True)
class Answer:
    """One request: when it was sent and over, on a clock that nobody steps, and how it ended.

    `outcome` is a status, or one of `HANG`, `BROKEN` and `REFUSED`; `flaw` says what was wrong
    with an answer, whatever its status.
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
    """The account of a load under one fault."""

    fault: str
    answers: list[Answer]
    ended: float
    """When the fault was over."""
    lost: int
    """How many of the writes that were acknowledged are not in the database."""

    @property
    def outcomes(self) -> Counter[str]:
        """How many requests ended in which way."""
        return Counter(str(answer.outcome) for answer in self.answers)

    @property
    def recovery(self) -> float | None:
        """Seconds from the fault's end to the first good answer to what was sent after it."""
        good = [one.over for one in self.answers if one.is_good and one.sent >= self.ended]
        return min(good) - self.ended if good else None

    def row(self) -> tuple[str, ...]:
        """Return the cells of this fault's line, in the order of `HEADER`."""
        slowest = max(one.over - one.sent for one in self.answers)
        recovery = "never" if self.recovery is None else f"{self.recovery * 1000:.0f} ms"
        counts = " ".join(f"{name}:{count}" for name, count in sorted(self.outcomes.items()))
        cells = (len(self.answers), counts, f"{slowest:.2f} s", recovery, self.lost)
        return (self.fault, *map(str, cells))

    def check(self, *allowed: int | str) -> None:
        """Hold what every fault promises: no hang, no bad answer, nothing lost, and recovery.

        Args:
            *allowed: how a request may end, beside well.
        """
        flaws = {one.flaw for one in self.answers if one.flaw}
        assert not flaws, flaws
        bad = {one.outcome for one in self.answers if not one.is_good}
        assert bad <= set(allowed), self.outcomes
        assert self.recovery is not None, "no good answer after the fault"
        assert self.lost == 0


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Return the lines of a table with these rows, its columns aligned."""
    lines = [HEADER, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
