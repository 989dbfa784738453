"""Tells the platform whether the service lives, and whether it can take requests."""

from .feature import FEATURE

__all__ = ["FEATURE"]
