"""Runs consumers: polls, keeps the order of keys, commits, tries again, saves dead letters."""

from .group import consumers
from .worker import Worker

__all__ = ["Worker", "consumers"]
