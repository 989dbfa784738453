"""Does a request again when its transaction lost against another one."""

import asyncio
import random
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import TransactionConflict
from .session import SAFE_METHODS

ATTEMPTS: Final = 4
BACKOFF: Final = 0.02
"""Seconds to wait at the most before the second attempt; doubled for each one after."""

logger = structlog.get_logger(__name__)


class TransactionRetryMiddleware:
    """Repeats requests that ended in a deadlock or a serialization failure.

    Nothing of them was committed, and as the commit comes before the response, nothing was sent.
    Requests that only read have no transaction to lose.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, in as many attempts as it takes."""
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await self.app(scope, receive, send)
            return
        body, answered = _Replay(receive), False

        async def answer(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        for attempt in range(1, ATTEMPTS):
            try:
                await self.app({**scope, "state": dict(scope["state"])}, body.receive, answer)
            except TransactionConflict as error:
                if answered:  # by then its transaction was committed: this is another one's error
                    raise
                logger.info("transaction repeated", attempt=attempt, reason=str(error))
                await asyncio.sleep(random.uniform(0, BACKOFF * 2**attempt))  # noqa: S311 - no secret
                body.rewind()
            else:
                return
        await self.app(scope, body.receive, send)


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
