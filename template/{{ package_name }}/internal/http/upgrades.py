"""Requests that offer another protocol (`Upgrade`) are read as HTTP/1.1, body and all."""

from collections.abc import Iterator
from typing import Protocol

import httptools

PROTOCOL_OFFER = frozenset({b"upgrade", b"http2-settings"})
"""Headers, and words in `Connection`, that offer another protocol."""


class RequestHandler(Protocol):
    """What the parser calls, and where its callbacks keep the head of a request."""

    url: bytes
    headers: list[tuple[bytes, bytes]]


class HttpParser:
    """httptools' parser, which declines every upgrade.

    httptools skips the body of a request that offers an upgrade, and takes the bytes that follow
    for the other protocol. We read the head again without the offer instead: the body belongs to
    the request, and whatever comes after it is the next request (RFC 9110, section 7.8).
    """

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = handler
        self._parser = self._new_parser()

    def feed_data(self, data: bytes | memoryview) -> None:
        """Read bytes, and call the handler.

        Raises:
            HttpParserError: they are not valid HTTP, or ask for a tunnel.
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
        """Say whether the head that was just read offers an upgrade: it is read again."""
        return self._parser.should_upgrade()

    def should_keep_alive(self) -> bool:
        """Say whether the connection may stay open after this request."""
        return self._parser.should_keep_alive()

    def get_http_version(self) -> str:
        """Return the version of the request, such as `1.1`."""
        return self._parser.get_http_version()

    def get_method(self) -> bytes:
        """Return the method of the request."""
        return self._parser.get_method()

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self._handler)
        # As uvicorn does: a request that was pipelined behind the last one does no harm.
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
                yield name, b", ".join(w for w in words if w.lower() not in PROTOCOL_OFFER)
            elif name not in PROTOCOL_OFFER:
                yield name, value
