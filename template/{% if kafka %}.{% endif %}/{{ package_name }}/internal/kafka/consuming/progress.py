"""How far a consumer has come."""

from dataclasses import asdict, dataclass


class Progress:
    """Knows which offset may be committed: everything below it has been handled."""

    def __init__(self) -> None:
        self._open: dict[int, None] = {}
        self._next: int | None = None
        self._committed: int | None = None
        self.is_revoked = False

    def begin(self, offset: int) -> None:
        """Note a message that is to be handled; messages come in order."""
        self._open[offset] = None
        self._next = offset + 1

    def end(self, offset: int) -> None:
        """Note that a message has been handled."""
        self._open.pop(offset, None)

    def has_seen(self, offset: int) -> bool:
        """Return whether a message that is read now has been read before."""
        return self._next is not None and offset < self._next

    def reach(self, offset: int) -> None:
        """Note that every message below this offset has been read.

        Markers of transactions take offsets too, and nobody hands them to us.
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
        """Note that the group's offset is here."""
        self._committed = offset


@dataclass(slots=True)
class Counters:
    """What a consumer has done since the process started, for logs and probes."""

    handled: int = 0
    skipped: int = 0
    duplicates: int = 0
    retries: int = 0
    dead_letters: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the numbers by name."""
        return asdict(self)
