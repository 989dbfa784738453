"""The base of every service."""

from typing import Generic, TypeVar

Repository = TypeVar("Repository")


class ServiceBase(Generic[Repository]):
    """Does what the domain is for, on one repository. It knows neither HTTP nor commits."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
