"""Streamed responses."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


class StreamedResponse(StreamingResponse):
    """A response that streams a generator, and always closes the generator at the end.

    If the client disconnects, the generator's `async with` blocks end at once. An error before
    the first chunk is a normal error response. A later error closes the connection.
    """

    def __init__(
        self,
        content: AsyncGenerator[str | bytes, None],
        *,
        media_type: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(content, media_type=media_type, headers=headers)
        self._pieces = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        async with aclosing(self._pieces):
            first = await anext(self._pieces, b"")
            self.body_iterator = _chain(first, self._pieces)
            await super().__call__(scope, receive, send)


async def _chain(
    first: str | bytes, others: AsyncIterator[str | bytes]
) -> AsyncIterator[str | bytes]:
    yield first
    async for piece in others:
        yield piece
