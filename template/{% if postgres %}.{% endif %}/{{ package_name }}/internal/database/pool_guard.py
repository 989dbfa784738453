"""Keeps a pool from handing out connections that are closed, silent or read-only."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Final

import asyncpg
import structlog
from sqlalchemy import Connection, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine

from .errors import DatabaseUnavailable, ReadOnlyServer, StatementTimeout, translate

ANSWER_TIMEOUT: Final = 1.0
"""Seconds in which a healthy server answers."""

IDLE_LIMIT: Final = 30.0
"""Seconds after which an idle connection is tested before use: a firewall may have dropped it
silently."""

DISTRUST_INTERVAL: Final = 1.0
"""Shortest time in seconds between two replacements of the whole pool."""

UNTESTED: Final = "untested"
"""Marks an idle connection that was handed out before its test."""

logger = structlog.get_logger(__name__)


class ReadOnlyError(RuntimeError):
    """The service's code tried to write in a read-only session."""

    def __init__(self) -> None:
        super().__init__(
            "Readers only read, and so does this session if it belongs to a GET, HEAD or OPTIONS"
            " request, or was opened with read_only=True or snapshot(). To write or to publish, use"
            " the session of a POST, PUT, PATCH or DELETE request, or open"
            " `async with database.session() as session:`."
        )


class PoolGuard:
    """Tests connections before use, and replaces the older ones as soon as one is broken."""

    def __init__(self, *, idle_limit: float = IDLE_LIMIT, transaction_limit: float = 60) -> None:
        self._idle_limit = idle_limit
        self._transaction_limit = transaction_limit
        self._distrusted = 0.0
        self._defers_tests = False

    def watch(self, engine: AsyncEngine) -> None:
        """Guard the connections of an engine."""
        event.listen(engine.sync_engine, "connect", _opened)
        event.listen(engine.sync_engine, "checkin", _returned)
        event.listen(engine.sync_engine, "checkout", self._check)
        event.listen(engine.sync_engine, "handle_error", self._judge)

    @contextmanager
    def deferring_tests(self) -> Iterator[None]:
        """Hand out idle connections untested, because the caller cannot wait: see `needs_test`."""
        self._defers_tests = True
        try:
            yield
        finally:
            self._defers_tests = False

    def needs_test(self, connection: Connection) -> bool:
        """Say whether a connection was handed out untested."""
        return bool(connection.info.pop(UNTESTED, False))

    async def meaning_of(self, error: Exception, driver: asyncpg.Connection) -> Exception:
        """Return what to raise for an error of a statement that ran directly on the driver."""
        if isinstance(error, TimeoutError):
            if await answers(driver):
                return StatementTimeout("the statement exceeded its time limit")
            self.distrust("the server does not answer")
            return DatabaseUnavailable("the server did not answer in time")
        if isinstance(error, asyncpg.InternalClientError):
            driver.terminate()  # the server's last words, before it closes the connection
        meaning = translate(error)
        if isinstance(meaning, ReadOnlyServer):
            return ReadOnlyError()
        if driver.is_closed():
            self.distrust("a connection was lost")
            return meaning or DatabaseUnavailable("the connection was lost")
        return meaning or error

    def _check(self, connection: Any, record: Any, _proxy: object) -> None:  # noqa: ANN401
        """Refuse a broken connection before use; SQLAlchemy then opens another one."""
        driver: asyncpg.Connection = connection.driver_connection
        # The driver notices a closed socket by itself, so this needs no round trip.
        if driver.is_closed():
            raise DisconnectionError
        idle = monotonic() - record.info.get("returned", monotonic())
        if idle > self._idle_limit:
            if self._defers_tests:
                record.info[UNTESTED] = True
            elif not connection.run_async(answers):
                self.distrust("a connection is silent")
        if record.info["opened"] < self._distrusted:
            driver.terminate()
            raise DisconnectionError

    def _judge(self, context: ExceptionContext) -> None:
        """Translate the errors whose meaning depends on the state of the connection."""
        connection = context.connection
        if connection is None or connection.invalidated:
            return
        driver: asyncpg.Connection | None = connection.connection.driver_connection
        if isinstance(context.original_exception, TimeoutError):
            self._judge_timeout(context, connection.connection.dbapi_connection)
        elif driver is not None and driver.is_closed():
            begun = getattr(driver, "begun", None)
            if begun and monotonic() - begun > self._transaction_limit:
                raise StatementTimeout("the transaction was open for too long and was ended")
        elif isinstance(translate(context.original_exception), ReadOnlyServer):  # type: ignore[arg-type]
            if connection.get_execution_options().get("reads_only"):
                raise ReadOnlyError from None
            self.distrust("the server accepts no writes")
            context.is_disconnect = True
            context.invalidate_pool_on_disconnect = False

    def _judge_timeout(self, context: ExceptionContext, connection: Any) -> None:  # noqa: ANN401
        # SQLAlchemy does not translate the TimeoutError of the driver's command timeout.
        if connection is not None and connection.run_async(answers):
            raise StatementTimeout("the statement exceeded its time limit") from None
        self.distrust("the server does not answer")
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False
        raise DatabaseUnavailable("the server did not answer in time") from None

    def distrust(self, reason: str) -> None:
        """Have every connection that was opened before now replaced at its next use."""
        if monotonic() - self._distrusted > DISTRUST_INTERVAL:
            self._distrusted = monotonic()
            logger.warning("database connections replaced", reason=reason)


def _opened(_connection: object, record: Any) -> None:  # noqa: ANN401 - a pool's record
    record.info["opened"] = monotonic()
    record.info.pop("returned", None)


def _returned(_connection: object, record: Any) -> None:  # noqa: ANN401 - a pool's record
    record.info["returned"] = monotonic()


async def answers(connection: asyncpg.Connection) -> bool:
    """Return whether the server answers on a connection; close the connection if not."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await connection.execute("SELECT 1")
    except asyncpg.PostgresError:
        return True
    except (TimeoutError, OSError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        connection.terminate()
        return False
    except asyncio.CancelledError:  # the answer may still come
        connection.terminate()
        raise
    return True
