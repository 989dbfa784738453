"""The transaction of a request: its session, and what happens when it fails."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Annotated, Final

import structlog
from fastapi import Depends, Request
from sqlalchemy.exc import ResourceClosedError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..resources import resources_of
from .errors import DatabaseError, TransactionConflict
from .orm_session import SessionClosedError
from .reader import DatabaseReader
from .session_manager import DatabaseSessionManager

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, section 9.2.1): their session only reads."""

ATTEMPTS: Final = 4
BACKOFF: Final = 0.02
"""Longest wait in seconds before the second attempt; doubled for each later one."""

REPEATABLE: Final = "repeat_on_conflict"
"""Key in a request's state that allows us to repeat the request."""

logger = structlog.get_logger(__name__)


async def request_database(request: Request) -> DatabaseSessionManager:
    """Return the database, to open sessions that outlive the request."""
    return resources_of(request).get(DatabaseSessionManager)


async def request_session(request: Request) -> AsyncIterator[AsyncSession]:
    """Give the session of this request: one request is one transaction."""
    database = resources_of(request).get(DatabaseSessionManager)
    async with database.session(read_only=request.method in SAFE_METHODS) as session:
        yield session


# The transaction ends before the response is sent: a commit that fails is an error that the client
# sees. `scope="function"` makes FastAPI leave the dependency at that moment.
Session = Annotated[AsyncSession, Depends(request_session, scope="function")]


async def request_reader(request: Request) -> DatabaseReader:
    """Return the reader, for queries."""
    return resources_of(request).get(DatabaseSessionManager).reader


async def primary_reader(request: Request) -> DatabaseReader:
    """Return a reader that sees everything that is committed."""
    return resources_of(request).get(DatabaseSessionManager).reader.primary


Reader = Annotated[DatabaseReader, Depends(request_reader)]
PrimaryReader = Annotated[DatabaseReader, Depends(primary_reader)]
Database = Annotated[DatabaseSessionManager, Depends(request_database)]


async def repeat_on_conflict(request: Request) -> None:
    """Allow the service to repeat this request when its transaction loses a conflict.

    Use it on a route or a router, as `dependencies=[Depends(repeat_on_conflict)]`, where a second
    run does no harm: not where the endpoint calls another service or sends an e-mail.
    """
    request.scope["state"][REPEATABLE] = True


class TransactionRetryMiddleware:
    """Repeats a request that lost a deadlock or a serialization failure, if its route allows it.

    Its transaction was rolled back, and because the commit comes before the response, the client
    has received nothing yet.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, in as many attempts as it takes."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            if scope["method"] in SAFE_METHODS:
                await self.app(scope, receive, send)
            else:
                await self._attempt(scope, _Replay(receive), send)
        except ResourceClosedError as error:
            # The code used a result or a connection of the request's session after it was closed.
            raise SessionClosedError from error
        except DatabaseError as error:
            if error.table or error.constraint:
                _warn(error)
            raise

    async def _attempt(self, scope: Scope, body: "_Replay", send: Send) -> None:
        answered = False

        async def answer(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        # Every attempt gets the same scope object: outer middleware reads what the endpoint put
        # into it.
        saved_scope, saved_state = dict(scope), dict(scope["state"])
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self.app(scope, body.receive, answer)
            except TransactionConflict as error:
                # After the response has started, the request's own transaction is committed, and
                # the conflict was in another one.
                repeatable = scope["state"].get(REPEATABLE, False) and not answered
                if not repeatable or attempt == ATTEMPTS:
                    raise
                logger.info("transaction repeated", attempt=attempt, reason=str(error))
            else:
                return
            await asyncio.sleep(random.uniform(0, BACKOFF * 2**attempt))  # noqa: S311 - no secret
            body.rewind()
            _restore(scope, saved_scope)
            _restore(scope["state"], saved_state)


def _restore(current: Scope, before: Scope) -> None:
    current.clear()
    current.update(before)


def _warn(error: DatabaseError) -> None:
    logger.warning(
        "constraint violated",
        error=type(error).__name__,
        table=error.table,
        column=error.column,
        constraint=error.constraint,
    )


class _Replay:
    """Receives a request's messages from the client once, and repeats them from memory."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []
        self._next = 0

    async def receive(self) -> Message:
        if self._next == len(self._messages):
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            self._messages.append(message)
        self._next += 1
        return self._messages[self._next - 1]

    def rewind(self) -> None:
        self._next = 0
