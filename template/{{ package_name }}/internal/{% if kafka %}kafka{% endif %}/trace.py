"""The trace that the present work belongs to (W3C Trace Context), carried by events."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ..utils import new_id

VALID = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")

_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def traceparent(given: str | None = None) -> str:
    """Return the given trace when it is valid, else the present one, else a new one."""
    if given and VALID.match(given):
        return given
    return _current.get() or f"00-{new_id().hex}-{new_id().hex[-16:]}-01"


@contextmanager
def continued(given: str | None) -> Iterator[None]:
    """Let what the block publishes belong to a trace."""
    token = _current.set(traceparent(given))
    try:
        yield
    finally:
        _current.reset(token)
