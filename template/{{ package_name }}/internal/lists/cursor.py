"""A cursor: where a page starts, as a text that clients hand back and need not understand."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from types import GenericAlias
from typing import Any, Final, Literal

from pydantic import TypeAdapter

from .query import Position
from .types import checked_type

CURSOR_PATTERN: Final = "^[A-Za-z0-9_-]+$"
ANY_LIST: Final = TypeAdapter(list[Any])
Direction = Literal[">", ">=", "<", "<="]


class OtherQueryError(ValueError):
    """The cursor belongs to another list, or to one with another sort or other filters."""


def encode(position: Position, types: tuple[Any, ...], query_hash: str) -> str:
    """Return a position as text.

    Args:
        position: where a page starts.
        types: the types of its values.
        query_hash: identifies the list, its sort and its filters.
    """
    direction = ("<" if position.backwards else ">") + ("=" if position.inclusive else "")
    text = _adapter(types).dump_json((direction, query_hash, *position.values))
    return urlsafe_b64encode(text).decode().rstrip("=")


def decode(cursor: str, types: tuple[Any, ...], query_hash: str) -> Position:
    """Return the position that `encode` wrote into a cursor.

    Raises:
        OtherQueryError: `query_hash` was another one.
        ValueError: this is not a cursor.
    """
    if not re.fullmatch(CURSOR_PATTERN.strip("^$"), cursor):
        raise ValueError("not Base64 for URLs")
    text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    if ANY_LIST.validate_json(text)[1:2] != [query_hash]:
        raise OtherQueryError
    direction, _, *values = _adapter(types).validate_json(text)
    position = Position(tuple(values), direction.startswith("<"), direction.endswith("="))
    if encode(position, types, query_hash) != cursor:
        raise ValueError("not as `encode` writes it")
    return position


@lru_cache(maxsize=1024)
def _adapter(types: tuple[Any, ...]) -> TypeAdapter[tuple[Any, ...]]:
    values = (checked_type(kind) | None for kind in types)
    shape: Any = GenericAlias(tuple, (Direction, str, *values))
    return TypeAdapter(shape)
