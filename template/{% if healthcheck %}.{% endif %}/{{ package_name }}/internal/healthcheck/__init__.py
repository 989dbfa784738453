"""Reports to the platform whether the service is alive and ready for requests."""

from .feature import FEATURE

__all__ = ["FEATURE"]
