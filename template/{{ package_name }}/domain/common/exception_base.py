"""Base classes of domain errors. Their messages say what is wrong and what to do."""

import re


class DomainError(Exception):
    """Base class of domain errors.

    Clients distinguish errors by their type, which follows from the class's name: `SkuTakenError`
    is `urn:problem-type:sku-taken`.
    """

    @property
    def problem_type(self) -> str:
        """The permanent URN of this type of error."""
        words = re.findall(r"[A-Z][a-z0-9]*", type(self).__name__.removesuffix("Error"))
        return "urn:problem-type:" + "-".join(words).lower()


class NotFoundError(DomainError):
    """The requested object does not exist."""


class ConflictError(DomainError):
    """The request conflicts with the current state."""


class InvalidError(DomainError):
    """The request is invalid in any state."""
