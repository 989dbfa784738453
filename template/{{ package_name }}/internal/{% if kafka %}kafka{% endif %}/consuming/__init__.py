"""Runs consumers: polls, keeps the order of keys, commits, tries again, buries."""

from .worker import Worker

__all__ = ["Worker"]
