"""Where repositories keep their models, and queries find them."""

from ..internal.database import Reader as Source
from ..internal.database import Session as Store

__all__ = ["Source", "Store"]
