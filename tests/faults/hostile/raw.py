"""Requests as bytes, which no HTTP client would send."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from dataclasses import dataclass

TIMEOUT = 15.0
CHUNK = 65536


@dataclass(frozen=True)
class Reply:
    """All data received on a connection until it was closed or fell silent."""

    data: bytes

    @property
    def statuses(self) -> list[int]:
        """The status of each response."""
        lines = (part.split(b"\r\n", 1)[0] for part in self.data.split(b"HTTP/1.1 ")[1:])
        return [int(line[:3]) for line in lines]

    @property
    def body(self) -> dict[str, object]:
        """The JSON body of the only response."""
        body: dict[str, object] = json.loads(self.data.partition(b"\r\n\r\n")[2])
        return body


def exchange(
    port: int, *parts: bytes, pause: float = 0.0, delay: float = 0.0, end: bool = False
) -> Reply:
    """Send bytes, in parts with a pause before each next one, and return what comes back.

    Args:
        port: where the service listens.
        *parts: what to send; the connection is read until the service closes it.
        pause: seconds without an answer after which the next part is sent.
        delay: seconds before each part, whatever comes back.
        end: close the sending side after the last part.
    """
    received = b""
    with (
        socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection,
        contextlib.suppress(BrokenPipeError, ConnectionResetError),
    ):
        for part in parts:
            time.sleep(delay)
            connection.sendall(part)
            if pause and (data := _wait(connection, pause)) is not None:
                received += data
                break
        if end:
            connection.shutdown(socket.SHUT_WR)
        while data := connection.recv(CHUNK):
            received += data
    return Reply(received)


def post(body: bytes, content_type: str = "application/json", *more: str) -> bytes:
    """Return a request to create a product that closes the connection."""
    lines = [
        "POST /api/v1/products HTTP/1.1",
        "Host: orders",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _wait(connection: socket.socket, seconds: float) -> bytes | None:
    """Return the data received within this time, or None."""
    connection.settimeout(seconds)
    try:
        return connection.recv(CHUNK)
    except TimeoutError:
        return None
    finally:
        connection.settimeout(TIMEOUT)
