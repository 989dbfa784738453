"""Callers of the service: bearer tokens of an OpenID Connect issuer."""

from .dependencies import Authenticated, Principal, requires, requires_role
from .feature import FEATURE
from .tokens import Identity

__all__ = ["FEATURE", "Authenticated", "Identity", "Principal", "requires", "requires_role"]
