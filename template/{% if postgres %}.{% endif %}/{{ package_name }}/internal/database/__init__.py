"""PostgreSQL: sessions, readers, errors, migrations."""

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
from .reader import DatabaseReader
from .row_layout import UnreadableStatementError
from .session import Database, PrimaryReader, Reader, Session, repeat_on_conflict
from .session_manager import DatabaseSessionManager
from .settings import DatabaseUrl

__all__ = [
    "FEATURE",
    "CheckViolation",
    "Database",
    "DatabaseError",
    "DatabaseReader",
    "DatabaseSessionManager",
    "DatabaseUnavailable",
    "DatabaseUrl",
    "ForeignKeyViolation",
    "NotNullViolation",
    "PrimaryReader",
    "ReadOnlyError",
    "Reader",
    "Session",
    "SessionClosedError",
    "StatementTimeout",
    "TransactionConflict",
    "UniqueViolation",
    "UnreadableStatementError",
    "UnstorableValue",
    "database_errors",
    "other_database",
    "repeat_on_conflict",
]
