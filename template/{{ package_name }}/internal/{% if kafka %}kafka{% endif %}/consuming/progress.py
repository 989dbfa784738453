"""How far a partition has been handled."""


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
