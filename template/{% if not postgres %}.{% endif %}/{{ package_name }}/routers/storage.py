"""Where repositories keep their models: the memory of the application."""

from ..internal.memory import ApplicationMemory as Store

__all__ = ["Store"]
