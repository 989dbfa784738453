"""Keyset pagination: a cursor holds the key of the last item seen, and is signed."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.exceptions import RequestValidationError

SIGNATURE_BYTES = 8
KEY_BYTES = 16


@dataclass(frozen=True)
class PageRequest:
    """Which page a client asks for: up to `limit` items after the key `after`."""

    limit: int
    after: UUID | None
    secret: bytes

    def cursor(self, key: UUID | None) -> str | None:
        """Return the cursor of the page that follows `key`, or None where no page follows."""
        return encode_cursor(key, self.secret) if key else None


def encode_cursor(key: UUID, secret: bytes) -> str:
    """Return `key` as an opaque text that `decode_cursor` reads back with the same secret."""
    return urlsafe_b64encode(key.bytes + _signature(key.bytes, secret)).decode()


def decode_cursor(cursor: str, secret: bytes) -> UUID:
    """Return the key in `cursor`.

    Raises:
        ValueError: the cursor was not made by `encode_cursor` with this secret.
    """
    raw = urlsafe_b64decode(cursor.encode())
    key, signature = raw[:KEY_BYTES], raw[KEY_BYTES:]
    if not hmac.compare_digest(signature, _signature(key, secret)):
        raise ValueError("the signature does not match")
    return UUID(bytes=key)


async def page_request(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100, description="Items on a page.")] = 20,
    cursor: Annotated[
        str | None, Query(max_length=100, description="`page.next_cursor` of the page before.")
    ] = None,
) -> PageRequest:
    """Return the page that the query parameters ask for."""
    secret = request.app.state.settings.secret_key.get_secret_value().encode()
    return PageRequest(limit, _after(cursor, secret), secret)


Page = Annotated[PageRequest, Depends(page_request)]


def _after(cursor: str | None, secret: bytes) -> UUID | None:
    if cursor is None:
        return None
    try:
        return decode_cursor(cursor, secret)
    except ValueError:
        error = {
            "type": "cursor",
            "loc": ("query", "cursor"),
            "msg": "This is no cursor of this service: take `page.next_cursor` of an earlier page.",
        }
        raise RequestValidationError([error]) from None


def _signature(key: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, b"cursor" + key, "sha256")[:SIGNATURE_BYTES]
