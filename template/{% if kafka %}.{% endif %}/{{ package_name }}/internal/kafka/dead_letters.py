"""Messages that could not be handled, kept on a topic of their own until somebody has a look."""

import hashlib
import traceback
from typing import Any

from .cloud_events import Record

SUFFIX = ".dead-letters"
PREFIX = "dead_letter_"
MEANT_FOR = "replay_for"
"""The header of a message that was sent back: only this group handles it again."""

LEFT_OUT = f"{PREFIX}left_out_bytes"
"""The header of a dead letter whose value brokers refused: how large it was."""

SENT_BACK_BEFORE = f"{PREFIX}sent_back_before"
"""The header of a receipt: all letters of its partition before this offset were dealt with.

Brokers forget the offsets of a group that is idle for a week; they keep a receipt for longer than
the letters that it is about.
"""

RECEIPT_KEY = b"dead-letters-sent-back"

TEXT_LIMIT = 1000


def dead_letter(message: Any, error: BaseException, attempts: int, group: str) -> Record:  # noqa: ANN401
    """Return the dead letter of a message: the message itself, and why it is one in headers.

    The digest is the same for failures at the same place in the code.
    """
    about = {
        "error": error_text(error),
        "stack_digest": stack_digest(error),
        "topic": message.topic,
        "partition": str(message.partition),
        "offset": str(message.offset),
        "attempts": str(attempts),
        "group": group,
    }
    headers = [(name, value) for name, value in message.headers if name != MEANT_FOR]
    headers += [(PREFIX + name, value.encode()) for name, value in about.items()]
    return Record(message.topic + SUFFIX, message.key, _kept(message), headers)


def without_value(letter: Record) -> Record:
    """Return a dead letter as small as it can be, for one that brokers or the limit refuse."""
    headers = [(name, value) for name, value in letter.headers if len(value or b"") <= TEXT_LIMIT]
    size = b"%d" % len(letter.value or b"")
    return Record(letter.topic, letter.key, b"", [*headers, (LEFT_OUT, size)])


def error_text(error: BaseException) -> str:
    """Return an error's type and message as text that every topic and log takes."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - an error that has no text is an error all the same
        text = type(error).__name__
    return text.encode(errors="backslashreplace").decode()[:TEXT_LIMIT]


def stack_digest(error: BaseException) -> str:
    """Return a short name for where an error came from."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename}:{frame.name}:{frame.lineno}" for frame in frames]
    text = "\n".join([type(error).__name__, *places])
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:16]


def _kept(message: Any) -> bytes | None:  # noqa: ANN401 - a ConsumerRecord
    """Return a message's value: that of a tombstone is None, which aiokafka takes with a key."""
    value: bytes | None = message.value
    return value if message.key is not None else value or b""


def sent_back(message: Any) -> Record:  # noqa: ANN401 - a ConsumerRecord
    """Return a dead letter as it is sent back to the topic that it came from.

    Raises:
        ValueError: it is not a dead letter, or one without the message's value.
    """
    about = {
        name: value.decode() for name, value in message.headers if name.startswith(PREFIX) and value
    }
    topic, group = about.get(f"{PREFIX}topic"), about.get(f"{PREFIX}group")
    if not topic or not group:
        raise ValueError("it has no headers of a dead letter")
    if LEFT_OUT in about:
        raise ValueError(f"brokers refused its value of {about[LEFT_OUT]} bytes, so it has none")
    headers = [(name, value) for name, value in message.headers if not name.startswith(PREFIX)]
    return Record(topic, message.key, message.value, [*headers, (MEANT_FOR, group.encode())])


def receipt(topic: str, offset: int) -> Record:
    """Return the note that all letters of a partition before an offset were dealt with."""
    return Record(topic, RECEIPT_KEY, b"", [(SENT_BACK_BEFORE, b"%d" % offset)])


def sent_back_before(message: Any) -> int | None:  # noqa: ANN401 - a ConsumerRecord
    """Return the offset that a receipt names, or None when the message is not a receipt."""
    value = dict(message.headers).get(SENT_BACK_BEFORE) or b""
    is_receipt = message.key == RECEIPT_KEY and value.isdigit()
    return int(value) if is_receipt else None
