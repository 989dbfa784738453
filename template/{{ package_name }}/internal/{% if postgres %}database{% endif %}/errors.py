"""What the database can refuse, told apart by PostgreSQL's own error classes.

asyncpg has an exception class for each error code of appendix A of the PostgreSQL manual.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


class DatabaseError(Exception):
    """Base of what the database refuses; `constraint` names the constraint that was violated."""

    def __init__(self, message: str, constraint: str | None = None) -> None:
        super().__init__(message)
        self.constraint = constraint


class UniqueViolation(DatabaseError):  # noqa: N818 - PostgreSQL's own name
    """Another row has this key."""


class ForeignKeyViolation(DatabaseError):  # noqa: N818 - PostgreSQL's own name
    """A row that is referred to is missing, or a row that is to go is referred to."""


class CheckViolation(DatabaseError):  # noqa: N818 - PostgreSQL's own name
    """A value is not one that the table allows."""


class NotNullViolation(DatabaseError):  # noqa: N818 - PostgreSQL's own name
    """A value is missing."""


class TransactionConflict(DatabaseError):  # noqa: N818 - names what happened
    """Two transactions got in each other's way; doing this one again can succeed."""


class DatabaseUnavailable(DatabaseError):  # noqa: N818 - names what happened
    """The database cannot be reached, or cannot serve in time."""


KINDS: dict[type[Exception], type[DatabaseError]] = {
    asyncpg.UniqueViolationError: UniqueViolation,
    asyncpg.ExclusionViolationError: UniqueViolation,
    asyncpg.ForeignKeyViolationError: ForeignKeyViolation,
    asyncpg.RestrictViolationError: ForeignKeyViolation,
    asyncpg.CheckViolationError: CheckViolation,
    asyncpg.NotNullViolationError: NotNullViolation,
    asyncpg.SerializationError: TransactionConflict,
    asyncpg.DeadlockDetectedError: TransactionConflict,
    asyncpg.InvalidCachedStatementError: TransactionConflict,  # a migration has changed a type
    asyncpg.PostgresConnectionError: DatabaseUnavailable,
    asyncpg.InsufficientResourcesError: DatabaseUnavailable,
    asyncpg.OperatorInterventionError: DatabaseUnavailable,
    asyncpg.LockNotAvailableError: DatabaseUnavailable,
    asyncpg.PostgresSystemError: DatabaseUnavailable,
    asyncpg.ReadOnlySQLTransactionError: DatabaseUnavailable,
    asyncpg.InvalidAuthorizationSpecificationError: DatabaseUnavailable,
    asyncpg.InvalidCatalogNameError: DatabaseUnavailable,
    OSError: DatabaseUnavailable,
    asyncio.TimeoutError: DatabaseUnavailable,
    PoolTimeoutError: DatabaseUnavailable,
}


def translate(error: Exception) -> DatabaseError | None:
    """Return what `error` means to the service, or None where the fault is the service's own."""
    cause = error.driver_exception if isinstance(error, DBAPIError) else error
    for cls in type(cause).__mro__:
        if kind := KINDS.get(cls):
            return kind(str(cause) or type(cause).__name__, getattr(cause, "constraint_name", None))
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return DatabaseUnavailable("the connection was lost")
    return None


@contextmanager
def database_errors() -> Iterator[None]:
    """Raise the errors of SQLAlchemy and asyncpg as the ones of this module.

    Raises:
        DatabaseError: one of its subclasses, for every error that has a meaning to the service.
    """
    try:
        yield
    except (DBAPIError, PoolTimeoutError) as error:
        meaning = translate(error)
        if meaning is None:
            raise
        raise meaning from error
