"""Keyset pagination: a cursor contains the key of the last item."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BeforeValidator, WithJsonSchema

CURSOR_PATTERN: Final = "^[A-Za-z0-9_-]{21}[AQgw]$"
"""16 bytes in Base64 for URLs without padding, whose last four bits are zero."""


@dataclass(frozen=True)
class PageRequest:
    """Which page a client asks for: up to `limit` items after the key `after`."""

    limit: int
    after: UUID | None

    def cursor(self, key: UUID | None) -> str | None:
        """Return the cursor of the page that follows `key`, or None where no page follows."""
        return encode_cursor(key) if key else None


def encode_cursor(key: UUID) -> str:
    """Return `key` as an opaque text that `decode_cursor` reads back."""
    return urlsafe_b64encode(key.bytes).decode().rstrip("=")


def decode_cursor(cursor: str) -> UUID:
    """Return the key in `cursor`.

    Raises:
        ValueError: this is not a cursor.
    """
    if not re.fullmatch(CURSOR_PATTERN.strip("^$"), cursor):
        raise ValueError("Invalid cursor. Use `page.next_cursor` from an earlier page.")
    return UUID(bytes=urlsafe_b64decode(f"{cursor}=="))


Cursor = Annotated[
    UUID | None,
    BeforeValidator(decode_cursor),
    WithJsonSchema({"type": "string", "pattern": CURSOR_PATTERN}),
]


async def page_request(
    limit: Annotated[int, Query(ge=1, le=100, description="Items on a page.")] = 20,
    cursor: Annotated[Cursor, Query(description="`page.next_cursor` of the page before.")] = None,
) -> PageRequest:
    """Return the page that the query parameters ask for."""
    return PageRequest(limit, cursor)


Page = Annotated[PageRequest, Depends(page_request)]
