"""Sessions that serve one block: they refuse to be used after it."""

from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncResult, AsyncSession
from sqlalchemy.orm import Session

from .errors import is_stale

# ruff: noqa: ANN401 - the calls are SQLAlchemy's, passed on as they are


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
    """Raises SessionClosedError at its first use after `close`, and takes no connection."""

    _ended = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, close_resets_only=False, **options)

    def close(self) -> None:
        """End this session for good."""
        super().close()
        self._ended = True

    def get_bind(self, *arguments: Any, **options: Any) -> Engine | Connection:
        """Return what a statement runs on; SQLAlchemy asks before each one."""
        self._refuse_if_ended()
        return super().get_bind(*arguments, **options)

    def add(self, instance: object, *, _warn: bool = True) -> None:
        """Add an object."""
        self._refuse_if_ended()
        super().add(instance, _warn=_warn)

    def begin(self, nested: bool = False) -> Any:  # noqa: FBT001, FBT002 - SQLAlchemy's call
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
    """Repeats a statement once that a migration made stale: it runs on its own, and only reads."""

    def execute(self, *arguments: Any, **options: Any) -> Any:
        """Execute a statement."""
        try:
            return super().execute(*arguments, **options)
        except DBAPIError as error:
            if not is_stale(error):
                raise
        return super().execute(*arguments, **options)

    def scalar(self, *arguments: Any, **options: Any) -> Any:
        """Return the first value of the first row."""
        try:
            return super().scalar(*arguments, **options)
        except DBAPIError as error:
            if not is_stale(error):
                raise
        return super().scalar(*arguments, **options)

    def scalars(self, *arguments: Any, **options: Any) -> Any:
        """Return the first value of each row."""
        try:
            return super().scalars(*arguments, **options)
        except DBAPIError as error:
            if not is_stale(error):
                raise
        return super().scalars(*arguments, **options)


class AsyncBlockSession(AsyncSession):
    """Closes the results that it streams at its end: their connection serves others then."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._streams: list[AsyncResult[Any]] = []

    async def stream(self, *arguments: Any, **options: Any) -> AsyncResult[Any]:
        """Execute a statement, and give its rows as they come from the server."""
        result = await super().stream(*arguments, **options)
        self._streams.append(result)
        return result

    async def close(self) -> None:
        """End this session for good, and all that it streams."""
        for result in self._streams:
            await result.close()
        await super().close()
