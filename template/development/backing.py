"""The servers that a service needs, as the runner uses them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field


class BackingError(Exception):
    """A server that the service needs is unavailable. The message says what to do."""


@dataclass(frozen=True)
class Backing:
    """A server that is started for the service, unless a variable contains another one's address.

    Attributes:
        name: what a person calls it.
        variable: names where it is; the service reads it, with its prefix or without.
        start: runs it and gives the variable's value; raises BackingError when it cannot.
        check: raises BackingError unless what a value of the variable names can be reached.
        serving: further settings of a service that has it, without prefix, unless they are set.
    """

    name: str
    variable: str
    start: Callable[[], AbstractContextManager[str]]
    check: Callable[[str], None]
    serving: Mapping[str, str] = field(default_factory=dict)
