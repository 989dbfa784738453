"""Format messages as readable lines."""

from datetime import UTC, datetime
from typing import Any

from .cloud_events import header_texts


def readable(message: Any) -> str:  # noqa: ANN401 - a ConsumerRecord
    """Return a message as one readable line, even if it is malformed."""
    headers = header_texts(message.headers)
    body = (message.value or b"").decode(errors="backslashreplace")
    key = (message.key or b"-").decode(errors="backslashreplace")
    name = f"{headers.pop('ce_type', '?')} v{headers.pop('ce_typeversion', '?')}"
    error = headers.get("dead_letter_error")
    place = f"{message.topic}/{message.partition}@{message.offset}"
    line = f"{_time(message.timestamp)} {place} {name} key={key} id={headers.get('ce_id', '-')}"
    return _escaped(f"{line} {body} error={error!r}" if error else f"{line} {body}")


def _time(timestamp: int) -> str:
    """Convert milliseconds since 1970 to a time. Some producers write other units."""
    try:
        return datetime.fromtimestamp(timestamp / 1000, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, OSError, ValueError):
        return f"timestamp={timestamp}"


def _escaped(text: str) -> str:
    """Escape line breaks and control characters."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
