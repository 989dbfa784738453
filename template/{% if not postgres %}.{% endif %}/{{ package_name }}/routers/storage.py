"""Where repositories keep their models, and queries find them: the memory of the application."""

from ..internal.memory import ApplicationMemory as Source
from ..internal.memory import ApplicationMemory as Store

__all__ = ["Source", "Store"]
