"""Who calls: bearer tokens of an OpenID Connect issuer, checked where a router asks for it."""

from .dependencies import Authenticated, Principal, requires, requires_role
from .feature import FEATURE
from .identity import Identity

__all__ = ["FEATURE", "Authenticated", "Identity", "Principal", "requires", "requires_role"]
