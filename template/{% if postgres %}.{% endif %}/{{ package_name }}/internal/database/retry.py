"""What happens to a request whose transaction failed."""

import asyncio
import random
from typing import Final

import structlog
from fastapi import Request
from sqlalchemy.exc import ResourceClosedError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import DatabaseError, TransactionConflict
from .orm_session import SessionClosedError
from .session import SAFE_METHODS

ATTEMPTS: Final = 4
BACKOFF: Final = 0.02
"""Seconds to wait at the most before the second attempt; doubled for each one after."""

REPEATABLE: Final = "repeat_on_conflict"
"""Where a request's state says that it may be repeated."""

logger = structlog.get_logger(__name__)


async def repeat_on_conflict(request: Request) -> None:
    """Let the service repeat this request, whole, when its transaction lost a conflict.

    Name it on a route, or on a router, as `dependencies=[Depends(repeat_on_conflict)]`, only where
    a second run does no harm: not where the endpoint calls another service or sends an e-mail.
    """
    request.scope["state"][REPEATABLE] = True


class TransactionRetryMiddleware:
    """Repeats a request that lost a deadlock or a serialization failure, if its route allows it.

    Nothing of it was committed, and as the commit comes before the response, nothing was sent.
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
            # A result or a connection of the request's session, used after the session's end.
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

        # The same scope for every attempt: middleware outside reads what the endpoint noted in it.
        before, state = dict(scope), dict(scope["state"])
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self.app(scope, body.receive, answer)
            except TransactionConflict as error:
                # An error after the answer is another transaction's: this one was committed.
                repeatable = scope["state"].get(REPEATABLE, False) and not answered
                if not repeatable or attempt == ATTEMPTS:
                    raise
                logger.info("transaction repeated", attempt=attempt, reason=str(error))
            else:
                return
            await asyncio.sleep(random.uniform(0, BACKOFF * 2**attempt))  # noqa: S311 - no secret
            body.rewind()
            _restore(scope, before)
            _restore(scope["state"], state)


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
    """Receives a request's messages once from the client, then as often as needed from memory."""

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
