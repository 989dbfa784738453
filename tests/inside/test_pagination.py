"""A cursor has exactly one form, and is not secret."""

import re
from string import ascii_letters, digits
from uuid import UUID

import pytest

from orders.internal.http.pagination import (
    CURSOR_PATTERN,
    PageRequest,
    decode_cursor,
    encode_cursor,
)
from orders.internal.utils import new_id

KEYS = [new_id(), UUID(int=0), UUID(int=2**128 - 1)]


@pytest.mark.parametrize("key", KEYS)
def test_a_cursor_can_be_decoded(key: UUID) -> None:
    """It has the format in the OpenAPI document."""
    cursor = PageRequest(limit=1, after=None).cursor(key)
    assert cursor == encode_cursor(key)
    assert re.fullmatch(CURSOR_PATTERN, cursor)
    assert decode_cursor(cursor) == key


def test_each_cursor_has_one_form() -> None:
    """Every text of the documented format is a cursor, and no two are the same key."""
    start = encode_cursor(new_id())[:21]
    for last in ascii_letters + digits + "-_":
        if re.fullmatch(CURSOR_PATTERN, start + last):
            assert encode_cursor(decode_cursor(start + last)) == start + last
        else:
            with pytest.raises(ValueError, match="Invalid cursor"):
                decode_cursor(start + last)


@pytest.mark.parametrize(
    "cursor", ["", "A" * 21, "A" * 23, "A" * 32, "A" * 22 + "\n", "A" * 22 + "==", "+" * 21 + "A"]
)
def test_other_texts_are_not_cursors(cursor: str) -> None:
    """Also the signed cursors of earlier releases. The message says what to use."""
    with pytest.raises(ValueError, match=r"Use `page\.next_cursor` from an earlier page\."):
        decode_cursor(cursor)
