"""The trace that the present work belongs to (W3C Trace Context), carried by events."""

import re
from contextvars import ContextVar

from ..utils import new_id

VALID = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")

_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def traceparent(given: str | None = None) -> str:
    """Return the given trace when it is valid, else the present one, else a new one."""
    if given and VALID.match(given):
        return given
    if present := _current.get():
        return present
    new = new_id().hex
    return f"00-{new}-{new[16:]}-01"


def continue_trace(given: str | None) -> None:
    """Let what this task publishes from now on belong to a trace, or to a new one each."""
    _current.set(given if given and VALID.match(given) else None)
