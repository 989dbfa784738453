"""Every error of the driver is classified: whose fault it is, and whether to try again."""

from inspect import isclass

import asyncpg
import pytest
from asyncpg import exceptions
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from orders.internal.database import (
    DatabaseError,
    DatabaseSessionManager,
    DatabaseUnavailable,
    StatementTimeout,
    TransactionConflict,
    UnstorableValue,
)
from orders.internal.database.errors import KINDS, translate

FAULTS = {
    # The client or the service asked for something impossible, or in the wrong way.
    exceptions.PostgresError,
    exceptions.InterfaceError,
    exceptions.InternalClientError,
    exceptions.FatalPostgresError,
    exceptions.UnknownPostgresError,
    exceptions.ClientConfigurationError,
    exceptions.UnsupportedClientFeatureError,
    exceptions.UnsupportedServerFeatureError,
    # Families in which every member is a fault of the service, its schema or its installation.
    exceptions.CardinalityViolationError,
    exceptions.CaseNotFoundError,
    exceptions.ConfigFileError,
    exceptions.DependentPrivilegeDescriptorsStillExistError,
    exceptions.DiagnosticsError,
    exceptions.ExternalRoutineError,
    exceptions.ExternalRoutineInvocationError,
    exceptions.FDWError,
    exceptions.FeatureNotSupportedError,
    exceptions.InternalServerError,
    exceptions.InvalidArgumentForXqueryError,
    exceptions.InvalidCursorNameError,
    exceptions.InvalidCursorStateError,
    exceptions.InvalidGrantorError,
    exceptions.InvalidRoleSpecificationError,
    exceptions.InvalidSQLStatementNameError,
    exceptions.InvalidSchemaNameError,
    exceptions.InvalidTransactionInitiationError,
    exceptions.InvalidTransactionTerminationError,
    exceptions.LocatorError,
    exceptions.PLPGSQLError,
    exceptions.SQLRoutineError,
    exceptions.SQLStatementNotYetCompleteError,
    exceptions.SavepointError,
    exceptions.SyntaxOrAccessError,
    exceptions.TriggeredActionError,
    exceptions.TriggeredDataChangeViolationError,
}

MIXED = {"22": "data", "25": "transaction state", "55": "prerequisites"}
"""Classes of error codes with different members, each of which is classified by name."""

FAULTS_BY_NAME = {
    # 22: the statement itself is wrong, with any input of the client.
    *("ArraySubscriptError", "BadCopyFileFormatError", "DataError", "DivisionByZeroError"),
    *("DuplicateJsonObjectKeyValueError", "ErrorInAssignmentError"),
    *("EscapeCharacterConflictError", "IndicatorOverflowError"),
    *("InvalidArgumentForLogarithmError", "InvalidArgumentForNthValueFunctionError"),
    *("InvalidArgumentForNtileFunctionError", "InvalidArgumentForPowerFunctionError"),
    *("InvalidArgumentForSQLJsonDatetimeFunctionError",),
    *("InvalidArgumentForWidthBucketFunctionError", "InvalidBinaryRepresentationError"),
    *("InvalidCharacterValueForCastError", "InvalidEscapeCharacterError"),
    *("InvalidEscapeOctetError", "InvalidEscapeSequenceError"),
    *("InvalidIndicatorParameterValueError", "InvalidJsonTextError"),
    *("InvalidParameterValueError", "InvalidPrecedingOrFollowingSizeError"),
    *("InvalidRegularExpressionError", "InvalidRowCountInLimitClauseError"),
    *("InvalidRowCountInResultOffsetClauseError", "InvalidSQLJsonSubscriptError"),
    *("InvalidTablesampleArgumentError", "InvalidTablesampleRepeatError"),
    *("InvalidTimeZoneDisplacementValueError", "InvalidUseOfEscapeCharacterError"),
    *("InvalidXmlCommentError", "InvalidXmlContentError", "InvalidXmlDocumentError"),
    *("InvalidXmlProcessingInstructionError", "MoreThanOneSQLJsonItemError"),
    *("PostgresFloatingPointError", "NonstandardUseOfEscapeCharacterError"),
    *("MostSpecificTypeMismatchError", "NoSQLJsonItemError", "NonNumericSQLJsonItemError"),
    *("NonUniqueKeysInAJsonObjectError", "NotAnXmlDocumentError"),
    *("NullValueNoIndicatorParameterError", "NullValueNotAllowedError"),
    *("SQLJsonArrayNotFoundError", "SQLJsonItemCannotBeCastToTargetTypeError"),
    *("SQLJsonMemberNotFoundError", "SQLJsonNumberNotFoundError", "SQLJsonObjectNotFoundError"),
    *("SQLJsonScalarRequiredError", "SequenceGeneratorLimitExceededError"),
    *("SingletonSQLJsonItemRequiredError", "StringDataLengthMismatchError", "SubstringError"),
    *("TooManyJsonArrayElementsError", "TooManyJsonObjectMembersError", "TrimError"),
    *("UnterminatedCStringError", "ZeroLengthCharacterStringError"),
    # 25: the service uses transactions in the wrong order.
    *("ActiveSQLTransactionError", "BranchTransactionAlreadyActiveError"),
    *("HeldCursorRequiresSameIsolationLevelError", "InFailedSQLTransactionError"),
    *("InappropriateAccessModeForBranchTransactionError",),
    *("InappropriateIsolationLevelForBranchTransactionError", "InvalidTransactionStateError"),
    *("NoActiveSQLTransactionError", "NoActiveSQLTransactionForBranchTransactionError"),
    *("SchemaAndDataStatementMixingNotSupportedError",),
    # 55: the order of the statements is wrong.
    *("CantChangeRuntimeParamError", "ObjectInUseError", "ObjectNotInPrerequisiteStateError"),
    *("UnsafeNewEnumValueUsageError",),
}

CLASSES = sorted(
    {
        cls
        for cls in vars(exceptions).values()
        if isclass(cls) and issubclass(cls, Exception) and not issubclass(cls, Warning)
    },
    key=lambda cls: cls.__name__,
)


def is_judged(cls: type[Exception]) -> bool:
    """Return whether an exception is classified."""
    if cls in KINDS or cls in FAULTS or cls.__name__ in FAULTS_BY_NAME:
        return True
    state = getattr(cls, "sqlstate", None) or ""
    if state[:2] in MIXED:
        return False
    roots = {exceptions.PostgresError, exceptions.InterfaceError, exceptions.InternalClientError}
    return any(base in KINDS or base in FAULTS - roots for base in cls.__mro__)


def test_every_error_of_the_driver_is_classified() -> None:
    """If a new release of asyncpg adds an error, decide whose fault it is, and list it."""
    assert [cls.__name__ for cls in CLASSES if not is_judged(cls)] == []


def test_no_error_is_classified_twice() -> None:
    """Faults of the service are not translated, and all other errors are."""
    named = {cls for cls in CLASSES if cls in FAULTS or cls.__name__ in FAULTS_BY_NAME}
    assert {cls.__name__ for cls in named if KINDS.get(cls)} == set()


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (exceptions.QueryCanceledError("slow"), StatementTimeout),
        (exceptions.IdleInTransactionSessionTimeoutError("slow"), StatementTimeout),
        (exceptions.TransactionTimeoutError("slow"), StatementTimeout),
        (exceptions.AdminShutdownError("stops"), DatabaseUnavailable),
        (exceptions.TooManyConnectionsError("full"), DatabaseUnavailable),
        (exceptions.StatementCompletionUnknownError("?"), DatabaseUnavailable),
        (exceptions.SerializationError("lost"), TransactionConflict),
        (exceptions.OutdatedSchemaCacheError("changed"), TransactionConflict),
        (exceptions.InternalServerError("cache lookup failed for type 1"), TransactionConflict),
        (exceptions.InternalServerError("unexpected"), None),
        (exceptions.UndefinedTableError("missing"), None),
        (exceptions.InsufficientPrivilegeError("denied"), None),
        (exceptions.RaiseError("a trigger's own rule"), None),
    ],
)
def test_each_error_says_whether_to_try_again(
    error: Exception, meaning: type[DatabaseError] | None
) -> None:
    """A timeout of the work is not an outage, and neither is a wrong statement."""
    translated = translate(error)
    assert (type(translated) if translated else None) is meaning


def test_an_error_without_its_cause_is_translated() -> None:
    """SQLAlchemy may omit the driver's error, which must not cause a second error."""
    assert translate(DBAPIError("SELECT 1", {}, None)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("SELECT CAST(:value AS int)", 2**40),
        ("SELECT CAST(:value AS text)", "a\x00b"),
        ("SELECT CAST(:value AS text)", "a\ud800b"),
        ("SELECT CAST(:value AS numeric(3, 1))", 1234.5),
    ],
)
async def test_a_value_that_cannot_be_stored_is_a_fault_of_the_client(
    postgres: str, query: str, value: object
) -> None:
    """A number beyond the column's range, and text that PostgreSQL cannot store."""
    manager = DatabaseSessionManager()
    manager.init(str(postgres))
    try:
        with pytest.raises(UnstorableValue):
            async with manager.session() as session:
                await session.execute(text(query), {"value": value})
    finally:
        await manager.close()


async def test_a_statement_that_times_out_is_not_an_outage(postgres: str) -> None:
    """The server works right after it, so the statement was too slow."""
    manager = DatabaseSessionManager()
    manager.init(str(postgres), command_timeout=0.1, pool_size=1, max_overflow=0)
    try:
        with pytest.raises(StatementTimeout):
            async with manager.session() as session:
                await session.execute(text("SELECT pg_sleep(10)"))
        async with manager.session() as session:
            assert await session.scalar(text("SELECT count(*) FROM pg_stat_activity")) is not None
    finally:
        await manager.close()


def test_the_values_of_a_row_stay_out_of_the_message() -> None:
    """The detail of a violated constraint contains the row, and messages are logged."""
    error = asyncpg.UniqueViolationError("duplicate key value violates a unique constraint")
    error.detail = "Key (email)=(planted@example.com) already exists."
    assert "planted" not in str(translate(error))
