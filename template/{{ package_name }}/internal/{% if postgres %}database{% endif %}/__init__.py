"""PostgreSQL: sessions, transactions, errors, migrations."""

from .errors import (
    CheckViolation,
    DatabaseError,
    DatabaseUnavailable,
    ForeignKeyViolation,
    NotNullViolation,
    StatementTimeout,
    TransactionConflict,
    UniqueViolation,
    UnstorableValue,
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
    "StatementTimeout",
    "TransactionConflict",
    "UniqueViolation",
    "UnstorableValue",
    "database_errors",
]
