"""Where repositories keep their models: each request has its own transaction."""

from ..internal.database import Session as Store

__all__ = ["Store"]
