"""PostgreSQL: sessions, transactions, errors, migrations."""

from .errors import (
    CheckViolation,
    DatabaseError,
    DatabaseUnavailable,
    ForeignKeyViolation,
    NotNullViolation,
    TransactionConflict,
    UniqueViolation,
    database_errors,
)
from .feature import FEATURE
from .session import Session
from .session_manager import DatabaseSessionManager

__all__ = [
    "FEATURE",
    "CheckViolation",
    "DatabaseError",
    "DatabaseSessionManager",
    "DatabaseUnavailable",
    "ForeignKeyViolation",
    "NotNullViolation",
    "Session",
    "TransactionConflict",
    "UniqueViolation",
    "database_errors",
]
