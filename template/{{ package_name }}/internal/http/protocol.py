"""Reads requests: refuses malformed, oversized and slow ones, and declines upgrades.

uvicorn has no public way to limit the head of a request, to answer a slow one with 408, or to
decline an upgrade and read the body. Only this module uses its internals; pyproject.toml limits
uvicorn to the minor version that it was tested with.
"""

import asyncio
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final, Protocol

import httptools
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from ..utils import new_id
from .middleware import REQUEST_ID, SECURITY_HEADERS
from .problems import ProblemKind, problem_response

UNREADABLE: Final = ProblemKind(HTTPStatus.BAD_REQUEST, detail="This is not valid HTTP.")
TOO_SLOW: Final = ProblemKind(
    HTTPStatus.REQUEST_TIMEOUT, detail="The request did not arrive in time."
)
HEAD_TOO_LARGE: Final = ProblemKind(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    detail="The address and the headers are larger than this service accepts.",
)
MAX_HEAD_SIZE: Final = 64 * 1024
"""Largest size in bytes of a request's head; a single chunk from the network may exceed it."""

PROTOCOL_OFFER: Final = frozenset({b"upgrade", b"http2-settings"})
"""Headers, and words in `Connection`, that offer another protocol."""


class RequestHandler(Protocol):
    """The attributes in which the callbacks of the parser store the head of a request."""

    url: bytes
    headers: list[tuple[bytes, bytes]]


class HttpParser:
    """The parser of httptools, but it declines every upgrade.

    httptools skips the body of a request that offers an upgrade, and treats the bytes that follow
    as the other protocol. We parse the head again without the offer instead: then the body belongs
    to the request, and the next bytes are the next request (RFC 9110, section 7.8).
    """

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = handler
        self._parser = self._new_parser()

    def feed_data(self, data: bytes | memoryview) -> None:
        """Parse bytes, and call the handler.

        Raises:
            HttpParserError: the bytes are not valid HTTP, or ask for a tunnel.
        """
        rest = memoryview(data)
        while True:
            try:
                self._parser.feed_data(rest)
            except httptools.HttpParserUpgrade as offer:
                rest = rest[offer.args[0] :]
                head = self._head_without_offer()
                self._parser = self._new_parser()
                self._parser.feed_data(head)
            else:
                return

    def should_upgrade(self) -> bool:
        """Return whether the head that was just parsed offers an upgrade: it is parsed again."""
        return self._parser.should_upgrade()

    def should_keep_alive(self) -> bool:
        """Return whether the connection may stay open after this request."""
        return self._parser.should_keep_alive()

    def get_http_version(self) -> str:
        """Return the version of the request, such as `1.1`."""
        return self._parser.get_http_version()

    def get_method(self) -> bytes:
        """Return the method of the request."""
        return self._parser.get_method()

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self._handler)
        # As uvicorn does: bytes after `Connection: close` are ignored instead of refused.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def _head_without_offer(self) -> bytes:
        method = self.get_method()
        if method == b"CONNECT":
            raise httptools.HttpParserInvalidMethodError("this service is not a proxy")
        version = self.get_http_version().encode()
        lines = [method + b" " + self._handler.url + b" HTTP/" + version]
        lines += [name + b": " + value for name, value in self._headers_without_offer()]
        return b"\r\n".join([*lines, b"", b""])

    def _headers_without_offer(self) -> Iterator[tuple[bytes, bytes]]:
        for name, value in self._handler.headers:
            if name == b"connection":
                words = [word.strip() for word in value.split(b",")]
                yield name, b", ".join(word for word in words if word.lower() not in PROTOCOL_OFFER)
            elif name not in PROTOCOL_OFFER:
                yield name, value


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with problem responses and limits on the size and time of a request."""

    request_timeout = 30.0
    """Seconds in which a whole request has to arrive."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*arguments, **options)
        self.parser = HttpParser(self)  # type: ignore[assignment]  # replaces httptools' own
        self._deadline: asyncio.TimerHandle | None = None
        self._is_in_message = self._is_in_head = False
        self._begun = self._head_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Wait for the first request as long as for a later one: balancers connect in advance."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the next bytes, unless the head is too large."""
        self._expect()
        limit = 0 if self._is_in_message else 1
        self._begun = 0
        super().data_received(data)
        if self._is_in_head:
            # If a chunk contains several requests, we cannot attribute bytes to one of them.
            if self._begun <= limit:
                self._head_size += len(data)
            if self._head_size > MAX_HEAD_SIZE and not self.transport.is_closing():
                self._refuse(HEAD_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Start the timer of a request; several requests may arrive in one chunk."""
        self._expect()
        self._is_in_message = self._is_in_head = True
        self._begun, self._head_size = self._begun + 1, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Continue with the body, unless the parser parses this head again."""
        self._is_in_head = False
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Stop the timer: the request is complete."""
        if self.parser.should_upgrade():
            return
        self._is_in_message = False
        self._expect_nothing()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are not valid HTTP."""
        del msg
        self._refuse(UNREADABLE)

    def _expect(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.request_timeout, self._give_up)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        cycle = self.cycle
        is_answering = bool(cycle) and not cycle.response_complete
        if self.pipeline or (is_answering and not cycle.more_body):
            # The client waits for an earlier answer: its next request is not overdue.
            self._expect()
        elif self._is_in_head or (is_answering and not cycle.response_started):
            self._refuse(TOO_SLOW)
        else:
            # A 408 would be taken for the answer to the next request.
            self.transport.close()

    def _refuse(self, kind: ProblemKind) -> None:
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:
                # Send the answer to the request before, then close the connection.
                cycle.keep_alive = False
                self.flow.pause_reading()
                return
            if cycle.response_started:
                self.transport.close()
                return
        request_id = new_id().hex
        scope = {"path": "", "state": {"request_id": request_id}}
        response = problem_response(scope, kind)
        headers = (
            *response.raw_headers,
            (REQUEST_ID, request_id.encode()),
            *SECURITY_HEADERS,
            (b"connection", b"close"),
        )
        lines = [STATUS_LINE[response.status_code]]
        lines += [name + b": " + value + b"\r\n" for name, value in headers]
        self.transport.write(b"".join([*lines, b"\r\n", bytes(response.body)]))
        self.transport.close()
