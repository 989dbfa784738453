"""The base class of services."""

from typing import Generic, TypeVar

Repository = TypeVar("Repository")


class ServiceBase(Generic[Repository]):
    """The operations of a domain, on one repository. Independent of HTTP and transactions."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
