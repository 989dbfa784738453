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
from .orm_session import SessionClosedError
from .other_database import other_database
from .pool_guard import ReadOnlyError
from .session import Database, Session, repeat_on_conflict
from .session_manager import DatabaseSessionManager
from .settings import DatabaseUrl

__all__ = [
    "FEATURE",
    "CheckViolation",
    "Database",
    "DatabaseError",
    "DatabaseSessionManager",
    "DatabaseUnavailable",
    "DatabaseUrl",
    "ForeignKeyViolation",
    "NotNullViolation",
    "ReadOnlyError",
    "Session",
    "SessionClosedError",
    "StatementTimeout",
    "TransactionConflict",
    "UniqueViolation",
    "UnstorableValue",
    "database_errors",
    "other_database",
    "repeat_on_conflict",
]
