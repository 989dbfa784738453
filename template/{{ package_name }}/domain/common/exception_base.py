"""The errors of a domain: they know no HTTP, and word what is wrong and what to do."""

import re


class DomainError(Exception):
    """Base of everything that a domain refuses to do.

    The class's name gives the type that clients tell errors apart by: `SkuTakenError` is
    `urn:problem-type:sku-taken`.
    """

    @property
    def problem_type(self) -> str:
        """The URN that names this kind of error, the same for ever."""
        words = re.findall(r"[A-Z][a-z0-9]*", type(self).__name__.removesuffix("Error"))
        return "urn:problem-type:" + "-".join(words).lower()


class NotFoundError(DomainError):
    """What was asked for does not exist."""


class ConflictError(DomainError):
    """What was asked for cannot be done in the present state; in another one it could."""


class InvalidError(DomainError):
    """What was asked for makes no sense in any state."""
