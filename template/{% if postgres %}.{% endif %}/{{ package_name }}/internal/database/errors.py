"""Errors of the database by their meaning: whose fault they are, and whether to try again.

asyncpg has an exception class for each error code of appendix A of the PostgreSQL manual.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError, EmulatedDBAPIException
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


class DatabaseError(Exception):
    """Base of the errors below; they name the table, column and constraint that were violated."""

    def __init__(
        self,
        message: str,
        constraint: str | None = None,
        *,
        table: str | None = None,
        column: str | None = None,
    ) -> None:
        super().__init__(message)
        self.constraint = constraint
        self.table = table
        self.column = column


class UniqueViolation(DatabaseError):  # noqa: N818 - PostgreSQL's own name
    """Another row has the same key."""


class ForeignKeyViolation(DatabaseError):  # noqa: N818 - PostgreSQL's own name
    """The row refers to a missing row, or other rows refer to it."""


class CheckViolation(DatabaseError):  # noqa: N818 - PostgreSQL's own name
    """The table does not allow a value."""


class NotNullViolation(DatabaseError):  # noqa: N818 - PostgreSQL's own name
    """A column without a default received no value."""


class UnstorableValue(DatabaseError):  # noqa: N818 - names what happened
    """A value is too long, too large or malformed for its column."""


class TransactionConflict(DatabaseError):  # noqa: N818 - names what happened
    """Another transaction or a migration interfered; repeating this transaction can succeed."""


class StatementTimeout(DatabaseError):  # noqa: N818 - names what happened
    """The work exceeded its time limit. The database is fine, and repeating does not help."""


class DatabaseUnavailable(DatabaseError):  # noqa: N818 - names what happened
    """The database cannot be reached, or cannot serve in time."""


class ReadOnlyServer(DatabaseUnavailable):
    """The server accepts no writes: it is a standby, or somebody set it to read-only."""


UNSTORABLE = (OverflowError, UnicodeEncodeError)
"""asyncpg's reason to refuse a value of the correct type."""

KINDS: dict[type[Exception], type[DatabaseError] | None] = {
    # The tables do not allow the value or the row.
    asyncpg.UniqueViolationError: UniqueViolation,
    asyncpg.ExclusionViolationError: UniqueViolation,
    asyncpg.ForeignKeyViolationError: ForeignKeyViolation,
    asyncpg.RestrictViolationError: ForeignKeyViolation,
    asyncpg.NotNullViolationError: NotNullViolation,
    asyncpg.IntegrityConstraintViolationError: CheckViolation,
    asyncpg.WithCheckOptionViolationError: CheckViolation,
    asyncpg.CharacterNotInRepertoireError: UnstorableValue,
    asyncpg.DatetimeFieldOverflowError: UnstorableValue,
    asyncpg.IntervalFieldOverflowError: UnstorableValue,
    asyncpg.InvalidDatetimeFormatError: UnstorableValue,
    asyncpg.InvalidTextRepresentationError: UnstorableValue,
    asyncpg.NumericValueOutOfRangeError: UnstorableValue,
    asyncpg.StringDataRightTruncationError: UnstorableValue,
    asyncpg.UntranslatableCharacterError: UnstorableValue,
    asyncpg.ProgramLimitExceededError: UnstorableValue,  # too long for an index or a page
    # Repeating the transaction helps.
    asyncpg.TransactionRollbackError: TransactionConflict,
    asyncpg.SnapshotTooOldError: TransactionConflict,
    asyncpg.InvalidCachedStatementError: TransactionConflict,
    asyncpg.OutdatedSchemaCacheError: TransactionConflict,
    # Repeating does not help: the work itself takes too long.
    asyncpg.QueryCanceledError: StatementTimeout,
    asyncpg.IdleInTransactionSessionTimeoutError: StatementTimeout,
    asyncpg.TransactionTimeoutError: StatementTimeout,
    # Trying again later helps.
    asyncpg.PostgresConnectionError: DatabaseUnavailable,
    asyncpg.StatementCompletionUnknownError: DatabaseUnavailable,
    asyncpg.InsufficientResourcesError: DatabaseUnavailable,
    asyncpg.OperatorInterventionError: DatabaseUnavailable,
    asyncpg.LockNotAvailableError: DatabaseUnavailable,
    asyncpg.PostgresSystemError: DatabaseUnavailable,
    asyncpg.ReadOnlySQLTransactionError: ReadOnlyServer,
    asyncpg.InvalidAuthorizationSpecificationError: DatabaseUnavailable,
    asyncpg.InvalidCatalogNameError: DatabaseUnavailable,
    asyncpg.FDWUnableToEstablishConnectionError: DatabaseUnavailable,
    asyncpg.ProtocolError: DatabaseUnavailable,
    asyncpg.TargetServerAttributeNotMatched: DatabaseUnavailable,
    OSError: DatabaseUnavailable,
    asyncio.TimeoutError: DatabaseUnavailable,
    PoolTimeoutError: DatabaseUnavailable,
    # Faults of the service's own code within the families above.
    asyncpg.StatementTooComplexError: None,
    asyncpg.TooManyArgumentsError: None,
    asyncpg.TooManyColumnsError: None,
}
"""The service's error for each driver error. None, or no entry, is a bug of the service."""


def translate(error: Exception) -> DatabaseError | None:
    """Return the service's error for a driver error, or None for a bug of the service."""
    cause = _cause(error)
    if kind := _kind(cause):
        return kind(
            # The first line only: the detail after it holds the values of the row.
            str(cause.args[0] if cause.args else "") or type(cause).__name__,
            getattr(cause, "constraint_name", None),
            table=getattr(cause, "table_name", None),
            column=getattr(cause, "column_name", None),
        )
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return DatabaseUnavailable("the connection was lost")
    return None


def is_stale(error: BaseException | None) -> bool:
    """Return whether a migration invalidated a prepared statement."""
    return error is not None and _is_stale(_cause(error))


def _is_stale(cause: BaseException) -> bool:
    if isinstance(cause, asyncpg.InternalServerError):
        return "cache lookup failed" in str(cause)
    return isinstance(cause, asyncpg.InvalidCachedStatementError | asyncpg.OutdatedSchemaCacheError)


def _cause(error: BaseException) -> BaseException:
    """Return the driver's error, which SQLAlchemy keeps in `orig` or only as a cause."""
    cause: BaseException = error
    if isinstance(error, DBAPIError) and error.orig is not None:
        cause = error.orig
    while isinstance(cause, EmulatedDBAPIException) and cause.__cause__ is not None:
        cause = cause.__cause__
    return cause


def _kind(cause: BaseException) -> type[DatabaseError] | None:
    if _is_stale(cause):
        return TransactionConflict
    if isinstance(cause, asyncpg.DataError) and isinstance(cause.__cause__, UNSTORABLE):
        return UnstorableValue
    return next((KINDS[cls] for cls in type(cause).__mro__ if cls in KINDS), None)


@contextmanager
def database_errors() -> Iterator[None]:
    """Raise the errors of SQLAlchemy and asyncpg as the ones of this module.

    Raises:
        DatabaseError: a subclass, for every error that the service distinguishes.
    """
    try:
        yield
    except (DBAPIError, PoolTimeoutError) as error:
        meaning = translate(error)
        if meaning is None:
            raise
        raise meaning from error
