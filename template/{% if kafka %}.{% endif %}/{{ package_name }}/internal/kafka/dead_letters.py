"""Dead letters: messages that could not be handled, stored on their own topic for inspection."""

import hashlib
import traceback
from typing import Any

from .cloud_events import Record

SUFFIX = ".dead-letters"
PREFIX = "dead_letter_"
MEANT_FOR = "replay_for"
"""The header of a replayed message: only this consumer group handles it."""

LEFT_OUT = f"{PREFIX}left_out_bytes"
"""The header of a dead letter without its value, which brokers refused: the size of the value."""

SENT_BACK_BEFORE = f"{PREFIX}sent_back_before"
"""The header of a receipt: all letters before this offset in its partition are replayed.

Brokers delete the offsets of a group that is idle for a week. They keep a receipt longer than
the letters before it.
"""

RECEIPT_KEY = b"dead-letters-sent-back"

TEXT_LIMIT = 1000


def dead_letter(message: Any, error: BaseException, attempts: int, group: str) -> Record:  # noqa: ANN401
    """Return the dead letter of a message: the message, with headers about the failure.

    Failures at the same place in the code have the same digest.
    """
    details = {
        "error": error_text(error),
        "stack_digest": stack_digest(error),
        "topic": message.topic,
        "partition": str(message.partition),
        "offset": str(message.offset),
        "attempts": str(attempts),
        "group": group,
    }
    headers = [(name, value) for name, value in message.headers if name != MEANT_FOR]
    headers += [(PREFIX + name, value.encode()) for name, value in details.items()]
    return Record(message.topic + SUFFIX, message.key, _value_of(message), headers)


def without_value(letter: Record) -> Record:
    """Return a dead letter without its value, if the original is too large."""
    headers = [(name, value) for name, value in letter.headers if len(value or b"") <= TEXT_LIMIT]
    size = b"%d" % len(letter.value or b"")
    return Record(letter.topic, letter.key, b"", [*headers, (LEFT_OUT, size)])


def error_text(error: BaseException) -> str:
    """Return an error's type and message as text without invalid characters."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - the text of an error may fail too
        text = type(error).__name__
    return text.encode(errors="backslashreplace").decode()[:TEXT_LIMIT]


def stack_digest(error: BaseException) -> str:
    """Return a digest of the place in the code that raised an error."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename}:{frame.name}:{frame.lineno}" for frame in frames]
    text = "\n".join([type(error).__name__, *places])
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:16]


def _value_of(message: Any) -> bytes | None:  # noqa: ANN401 - a ConsumerRecord
    """Return a message's value. A tombstone's is None, which aiokafka accepts with a key only."""
    value: bytes | None = message.value
    return value if message.key is not None else value or b""


def sent_back(message: Any) -> Record:  # noqa: ANN401 - a ConsumerRecord
    """Return the message to replay from a dead letter, for its original topic.

    Raises:
        ValueError: it is not a dead letter, or it has no value.
    """
    details = {
        name: value.decode() for name, value in message.headers if name.startswith(PREFIX) and value
    }
    topic, group = details.get(f"{PREFIX}topic"), details.get(f"{PREFIX}group")
    if not topic or not group:
        raise ValueError("it has no headers of a dead letter")
    if LEFT_OUT in details:
        raise ValueError(f"brokers refused its value of {details[LEFT_OUT]} bytes, so it has none")
    headers = [(name, value) for name, value in message.headers if not name.startswith(PREFIX)]
    return Record(topic, message.key, message.value, [*headers, (MEANT_FOR, group.encode())])


def receipt(topic: str, offset: int) -> Record:
    """Return a receipt: all letters before an offset in a partition are replayed."""
    return Record(topic, RECEIPT_KEY, b"", [(SENT_BACK_BEFORE, b"%d" % offset)])


def sent_back_before(message: Any) -> int | None:  # noqa: ANN401 - a ConsumerRecord
    """Return the offset of a receipt, or None if the message is not a receipt."""
    value = dict(message.headers).get(SENT_BACK_BEFORE) or b""
    is_receipt = message.key == RECEIPT_KEY and value.isdigit()
    return int(value) if is_receipt else None
