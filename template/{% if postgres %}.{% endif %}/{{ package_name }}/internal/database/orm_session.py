"""Sessions that serve one block: using one after its end raises an error that says what to do."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncResult, AsyncSession
from sqlalchemy.orm import Session

from .errors import is_stale

# ruff: noqa: ANN401 - these methods pass on the arguments of SQLAlchemy's own


class SessionClosedError(RuntimeError):
    """The service's code used a session after its end."""

    def __init__(self) -> None:
        super().__init__(
            "This session is closed: a request's session ends before the response is sent, so"
            " neither a streamed body nor a background task can use it. Open one where the work is"
            " done: `async with database.session() as session:`, or `database.snapshot()` to"
            " stream rows (docs/template/sessions.md)."
        )


class BlockSession(Session):
    """Raises SessionClosedError at its first use after `close`, before it takes a connection."""

    _ended = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, close_resets_only=False, **options)

    def close(self) -> None:
        """Close this session for good."""
        super().close()
        self._ended = True

    def get_bind(self, *arguments: Any, **options: Any) -> Engine | Connection:
        """Return the engine of a statement; SQLAlchemy asks for it before each one."""
        self._refuse_if_ended()
        return super().get_bind(*arguments, **options)

    def add(self, instance: object, **options: Any) -> None:
        """Add an object."""
        self._refuse_if_ended()
        super().add(instance, **options)

    def begin(self, nested: bool = False) -> Any:  # noqa: FBT001, FBT002 - SQLAlchemy's signature
        """Begin a transaction, or a savepoint."""
        self._refuse_if_ended()
        return super().begin(nested)

    def flush(self, objects: Any = None) -> None:
        """Send pending changes."""
        self._refuse_if_ended()
        super().flush(objects)

    def commit(self) -> None:
        """Commit."""
        self._refuse_if_ended()
        super().commit()

    def _refuse_if_ended(self) -> None:
        if self._ended:
            raise SessionClosedError


class ReadingSession(BlockSession):
    """Runs a statement again if a migration invalidated its plan: it changes nothing."""

    def execute(self, *arguments: Any, **options: Any) -> Any:
        """Execute a statement."""
        return _again_if_stale(super().execute, *arguments, **options)

    def scalar(self, *arguments: Any, **options: Any) -> Any:
        """Return the first value of the first row."""
        return _again_if_stale(super().scalar, *arguments, **options)

    def scalars(self, *arguments: Any, **options: Any) -> Any:
        """Return the first value of each row."""
        return _again_if_stale(super().scalars, *arguments, **options)


def _again_if_stale(run: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    try:
        return run(*arguments, **options)
    except DBAPIError as error:
        if not is_stale(error):
            raise
    return run(*arguments, **options)


class AsyncBlockSession(AsyncSession):
    """Closes its streamed results when it ends, because their connection returns to the pool."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._streams: list[AsyncResult[Any]] = []

    async def stream(self, *arguments: Any, **options: Any) -> AsyncResult[Any]:
        """Execute a statement, and stream its rows from the server."""
        result = await super().stream(*arguments, **options)
        self._streams.append(result)
        return result

    async def close(self) -> None:
        """Close this session for good, and every streamed result."""
        for result in self._streams:
            await result.close()
        await super().close()
