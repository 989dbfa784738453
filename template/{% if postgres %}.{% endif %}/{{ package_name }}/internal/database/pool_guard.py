"""Keeps a pool from handing out connections that are closed, silent or read-only."""

import asyncio
from time import monotonic
from typing import Any, Final

import asyncpg
import structlog
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util.concurrency import await_

from .errors import DatabaseUnavailable, ReadOnlyServer, StatementTimeout, translate

ANSWER_TIMEOUT: Final = 1.0
"""Seconds within which a server that is well answers."""

IDLE_LIMIT: Final = 30.0
"""Seconds after which an unused connection is tried before it serves: a firewall may have
dropped it in silence."""

DISTRUST_INTERVAL: Final = 1.0
"""Seconds between two replacements of the whole pool."""

logger = structlog.get_logger(__name__)


class ReadOnlyError(RuntimeError):
    """The service's code tried to write on a session that only reads."""

    def __init__(self) -> None:
        super().__init__(
            "This session only reads: it belongs to a GET, HEAD or OPTIONS request, or was opened"
            " with read_only=True or snapshot(). To write or to publish, use the session of a POST,"
            " PUT, PATCH or DELETE request, or open `async with database.session() as session:`."
        )


class PoolGuard:
    """Tries connections before they serve, and replaces older ones once one is found bad."""

    def __init__(self, *, idle_limit: float = IDLE_LIMIT, transaction_limit: float = 60) -> None:
        self._idle_limit = idle_limit
        self._transaction_limit = transaction_limit
        self._distrusted = 0.0

    def watch(self, engine: AsyncEngine) -> None:
        """Look after the connections of an engine."""
        event.listen(engine.sync_engine, "connect", _opened)
        event.listen(engine.sync_engine, "checkin", _returned)
        event.listen(engine.sync_engine, "checkout", self._check)
        event.listen(engine.sync_engine, "handle_error", self._judge)

    def _check(self, connection: Any, record: Any, _proxy: object) -> None:  # noqa: ANN401
        """Refuse a connection, which SQLAlchemy then replaces, before it serves."""
        driver: asyncpg.Connection = connection.driver_connection
        # The driver notices a lost server at once, so this costs no round trip.
        if driver.is_closed():
            raise DisconnectionError
        idle = monotonic() - record.info.get("returned", monotonic())
        if idle > self._idle_limit and not await_(_answers(driver)):
            self._distrust("a connection is silent")
        if record.info["opened"] < self._distrusted:
            driver.terminate()
            raise DisconnectionError

    def _judge(self, context: ExceptionContext) -> None:
        """Translate the errors that take a look at the connection."""
        connection = context.connection
        if connection is None or connection.invalidated:
            return
        driver: asyncpg.Connection | None = connection.connection.driver_connection
        if isinstance(context.original_exception, TimeoutError):
            self._judge_timeout(context, driver)
        elif driver is not None and driver.is_closed():
            begun = getattr(driver, "begun", None)
            if begun and monotonic() - begun > self._transaction_limit:
                raise StatementTimeout("the transaction was open for too long and was ended")
        elif isinstance(translate(context.original_exception), ReadOnlyServer):  # type: ignore[arg-type]
            if connection.get_execution_options().get("reads_only"):
                raise ReadOnlyError from None
            self._distrust("the server accepts no writes")
            context.is_disconnect = True
            context.invalidate_pool_on_disconnect = False

    def _judge_timeout(self, context: ExceptionContext, driver: asyncpg.Connection | None) -> None:
        # The driver's command timeout is not an error of its own, so SQLAlchemy lets it pass.
        if driver is not None and await_(_answers(driver)):
            raise StatementTimeout("the statement exceeded its time limit") from None
        self._distrust("the server does not answer")
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False
        raise DatabaseUnavailable("the server did not answer in time") from None

    def _distrust(self, reason: str) -> None:
        """Replace every connection that was opened before now, when its turn comes."""
        if monotonic() - self._distrusted > DISTRUST_INTERVAL:
            self._distrusted = monotonic()
            logger.warning("database connections replaced", reason=reason)


def _opened(_connection: object, record: Any) -> None:  # noqa: ANN401 - a pool's record
    record.info["opened"] = monotonic()
    record.info.pop("returned", None)


def _returned(_connection: object, record: Any) -> None:  # noqa: ANN401 - a pool's record
    record.info["returned"] = monotonic()


async def _answers(connection: asyncpg.Connection) -> bool:
    """Say whether the server still answers on a connection; end the connection if not."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await connection.execute("SELECT 1")
    except asyncpg.PostgresError:
        return True
    except (TimeoutError, OSError, asyncpg.InterfaceError):
        connection.terminate()
        return False
    return True
