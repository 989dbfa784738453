"""What a consumer has done so far."""

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Counters:
    """Numbers for logs and probes, since the start of the process."""

    handled: int = 0
    skipped: int = 0
    duplicates: int = 0
    retries: int = 0
    dead_letters: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the numbers by name."""
        return asdict(self)
