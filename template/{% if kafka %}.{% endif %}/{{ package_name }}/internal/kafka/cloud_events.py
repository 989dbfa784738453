"""Events as messages: the Kafka protocol binding of CloudEvents 1.0.

We write binary mode, and read structured mode too.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter, ValidationError

from ..utils import new_id, utc_now
from .errors import UnreadableMessageError
from .event_base import ATTRIBUTES, EventBase

STRUCTURED = "application/cloudevents+json"

BATCH_EVENTS: Final = 1000
BATCH_BYTES: Final = 4 * 1024 * 1024
"""Events and bytes that are published at once, at the most, unless one event is larger."""

_TRACE: Final = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")
_current_trace: ContextVar[str | None] = ContextVar("traceparent", default=None)

_EXCLUDED = set(ATTRIBUTES)
_OBJECT = TypeAdapter(dict[str, Any])
_TIME = TypeAdapter(datetime)
_LEAP_SECOND = re.compile(r"^(.{16}):60")


class Record(NamedTuple):
    """A message to send."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]

    @property
    def size(self) -> int:
        """The size in bytes: an upper bound of the size on the wire."""
        headers = sum(len(name) + len(value) + 10 for name, value in self.headers)
        return len(self.value or b"") + len(self.key or b"") + headers + 100


def encode(event: EventBase, *, source: str, namespace: str, traceparent: str) -> Record:
    """Return the message that carries an event; `EventBase.body_schema` describes its body."""
    key = event.key.encode()
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(event.id).encode()),
        ("ce_source", source.encode()),
        ("ce_type", event.type.encode()),
        ("ce_typeversion", b"%d" % event.version),
        ("ce_time", _format_time(event.time).encode()),
        ("ce_partitionkey", key),
        ("ce_traceparent", traceparent.encode()),
        ("content-type", b"application/json"),
    ]
    value = event.model_dump_json(exclude=_EXCLUDED, by_alias=True).encode()
    return Record(namespace + event.topic, key, value, headers)


def traceparent(header: str | None = None) -> str:
    """Return the W3C trace of an event: the header if valid, else the task's, else a new one."""
    if header and _TRACE.match(header):
        return header
    if current := _current_trace.get():
        return current
    new = new_id().hex
    return f"00-{new}-{new[16:]}-01"


def continue_trace(header: str | None) -> None:
    """Set the trace of the events that this task publishes; without a valid one each is new."""
    _current_trace.set(header if header and _TRACE.match(header) else None)


def in_batches(records: Iterable[Record], max_events: int = BATCH_EVENTS) -> Iterator[list[Record]]:
    """Give messages in batches of limited size, in their order."""
    batch: list[Record] = []
    size = 0
    for record in records:
        if batch and (len(batch) >= max_events or size + record.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += record.size
    if batch:
        yield batch


def header_texts(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Return headers as text. If several have the same name, the last one counts.

    Bytes that are not UTF-8 are escaped, so that different ids stay different.
    """
    return {
        name: value.decode(errors="backslashreplace") if value else "" for name, value in headers
    }


def binary_mode(
    value: bytes | None, headers: Mapping[str, str]
) -> tuple[bytes | None, Mapping[str, str]]:
    """Return the body and the headers that a message has, or would have, in binary mode.

    Raises:
        UnreadableMessageError: it claims to be in structured mode, and is not.
    """
    if not headers.get("content-type", "").lower().startswith(STRUCTURED):
        return value, headers
    try:
        event = _OBJECT.validate_json(value or b"")
        encoded = event.pop("data_base64", None)
        data = json.dumps(event.pop("data", None)).encode()
        body = data if encoded is None else base64.b64decode(encoded)
    except (ValidationError, ValueError, TypeError) as error:
        raise UnreadableMessageError(f"it is not a CloudEvent in JSON: {error}") from error
    return body, {**headers, **{f"ce_{name}": str(text) for name, text in event.items()}}


def decode(
    value: bytes | None,
    headers: Mapping[str, str],
    events: Mapping[str, Mapping[int, type[Any]]],
    received: datetime | None = None,
) -> EventBase | None:
    """Return the event that a message carries, or None when its type is not in `events`.

    Args:
        value: the message's body.
        headers: the message's headers.
        events: the classes that the consumer handles, by type and version.
        received: the time of the message, for an event without a time.

    Raises:
        UnreadableMessageError: it is not an event, or not one that the class describes.
    """
    kind, version = headers.get("ce_type"), headers.get("ce_typeversion", "1")
    if not kind:
        raise UnreadableMessageError("it has no header ce_type")
    versions = events.get(kind)
    if versions is None:
        return None
    cls = next((cls for number, cls in versions.items() if str(number) == version), None)
    if cls is None:
        raise UnreadableMessageError(f"version {version[:100]} of {kind} is not known here")
    if not headers.get("ce_id"):
        raise UnreadableMessageError("it has no header ce_id")
    try:
        body = _OBJECT.validate_json(value or b"")
        time = _parse_time(headers.get("ce_time"), received)
        return _build_event(cls, body, {"id": headers["ce_id"], "time": time})
    except (ValidationError, ValueError, TypeError) as error:
        raise UnreadableMessageError(f"it is not a valid {kind}: {error}") from error


def _build_event(
    cls: type[EventBase], body: dict[str, Any], attributes: dict[str, Any]
) -> EventBase:
    for wire_name, name in _renamed_fields(cls):
        if wire_name in body:
            body[name] = body.pop(wire_name)
    for name, value in attributes.items():
        alias = cls.model_fields[name].validation_alias
        body[alias if isinstance(alias, str) else name] = value
    return cls.model_validate(body, by_alias=True, by_name=True)


@cache
def _renamed_fields(cls: type[EventBase]) -> tuple[tuple[str, str], ...]:
    """Return the fields whose name on the wire differs from the name that validation accepts."""
    return tuple(
        (field.serialization_alias, name)
        for name, field in cls.model_fields.items()
        if field.serialization_alias
        and field.serialization_alias != field.validation_alias
        and name not in ATTRIBUTES
    )


def _parse_time(text: str | None, received: datetime | None) -> datetime:
    """Parse the time in a header; a leap second becomes the first second of the next minute."""
    if not text:
        return received or utc_now()
    time_text, leap_seconds = _LEAP_SECOND.subn(r"\1:59", text)
    return _TIME.validate_python(time_text) + timedelta(seconds=leap_seconds)


def _format_time(time: datetime) -> str:
    """Format a time as in RFC 3339. A time without an offset is taken as UTC."""
    in_utc = time.replace(tzinfo=UTC) if time.utcoffset() is None else time.astimezone(UTC)
    return in_utc.isoformat()
