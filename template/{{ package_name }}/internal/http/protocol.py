"""How bytes become requests: what cannot be read, or comes too slowly, is refused."""

import asyncio
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from ..utils import new_id
from .middleware import REQUEST_ID, SECURITY_HEADERS
from .problems import ProblemKind, problem_response
from .upgrades import HttpParser

UNREADABLE: Final = ProblemKind(HTTPStatus.BAD_REQUEST, detail="This is not valid HTTP.")
TOO_SLOW: Final = ProblemKind(
    HTTPStatus.REQUEST_TIMEOUT, detail="The request did not arrive in time."
)
HEAD_TOO_LARGE: Final = ProblemKind(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    detail="The address and the headers are larger than this service accepts.",
)
MAX_HEAD_SIZE: Final = 64 * 1024
"""Bytes of a request before its body, within what the network delivers at once."""


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's, which refuses by problems, and limits how large and slow a request may be."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*arguments, **options)
        self.parser = HttpParser(self)  # type: ignore[assignment]  # in the place of httptools'
        self._timeout: float = self.config.app.state.settings.request_timeout  # type: ignore[union-attr]  # it is the application
        self._deadline: asyncio.TimerHandle | None = None
        self._is_in_message = self._is_in_head = False
        self._begun = self._head_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Wait for the first request as long as for a later one: balancers connect ahead."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless a head has no end."""
        self._expect()
        most = 0 if self._is_in_message else 1
        self._begun = 0
        super().data_received(data)
        if self._is_in_head:
            # If a chunk contains several requests, we cannot attribute bytes to one of them.
            if self._begun <= most:
                self._head_size += len(data)
            if self._head_size > MAX_HEAD_SIZE and not self.transport.is_closing():
                self._refuse(HEAD_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Wait for the rest of a request, which may have come along with the one before."""
        self._expect()
        self._is_in_message = self._is_in_head = True
        self._begun, self._head_size = self._begun + 1, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Go on with the body, unless the parser reads this head again."""
        self._is_in_head = False
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait no more: from here on it is the service that takes its time."""
        if self.parser.should_upgrade():
            return
        self._is_in_message = False
        self._expect_nothing()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not valid HTTP."""
        del msg
        self._refuse(UNREADABLE)

    def _expect(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self._timeout, self._give_up)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        cycle = self.cycle
        is_answering = bool(cycle) and not cycle.response_complete
        if self.pipeline or (is_answering and not cycle.more_body):
            # The client has to wait for an answer itself before it is listened to.
            self._expect()
        elif self._is_in_head or (is_answering and not cycle.response_started):
            self._refuse(TOO_SLOW)
        else:
            # Nobody waits for an answer: a 408 would be taken for that to the next request.
            self.transport.close()

    def _refuse(self, kind: ProblemKind) -> None:
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:
                # The answer to the request before comes first, and is the last one.
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
