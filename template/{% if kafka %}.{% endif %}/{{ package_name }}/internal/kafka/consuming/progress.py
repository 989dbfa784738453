"""The progress of a consumer: its offsets, and its numbers."""

from dataclasses import asdict, dataclass


class Progress:
    """The progress in one partition: every message below `position` has been handled."""

    def __init__(self) -> None:
        self._open: dict[int, None] = {}
        self._next: int | None = None
        self._committed: int | None = None
        self.is_revoked = False

    def begin(self, offset: int) -> None:
        """Record that the handling of a message begins. Offsets must increase."""
        self._open[offset] = None
        self._next = offset + 1

    def end(self, offset: int) -> None:
        """Record that a message has been handled."""
        self._open.pop(offset, None)

    def has_seen(self, offset: int) -> bool:
        """Return whether the message at this offset has been read before."""
        return self._next is not None and offset < self._next

    def reach(self, offset: int) -> None:
        """Record that every message below this offset has been read.

        Transaction markers take offsets too, but are never delivered.
        """
        if self._next is None or offset > self._next:
            self._next = offset

    @property
    def next(self) -> int | None:
        """The offset after the last message that was read, once there is one."""
        return self._next

    @property
    def position(self) -> int | None:
        """The offset below which everything has been handled, once there is one."""
        return next(iter(self._open), self._next)

    @property
    def to_commit(self) -> int | None:
        """The offset to commit, or None when nothing has changed."""
        position = self.position
        return position if position != self._committed else None

    def committed(self, offset: int) -> None:
        """Record the offset that the group has committed."""
        self._committed = offset


@dataclass(slots=True)
class Counters:
    """The numbers of a consumer since the process started, for logs and probes."""

    handled: int = 0
    skipped: int = 0
    duplicates: int = 0
    retries: int = 0
    dead_letters: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the numbers by name."""
        return asdict(self)
