"""Events as messages: the Kafka protocol binding of CloudEvents 1.0, in binary mode."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from .errors import UnreadableMessageError
from .event_base import ATTRIBUTES, EventBase

_EXCLUDED = set(ATTRIBUTES)
_BODY = TypeAdapter(dict[str, Any])


class Record(NamedTuple):
    """A message that is to be sent."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]

    @property
    def size(self) -> int:
        """How many bytes it takes, at least as many as on the wire."""
        headers = sum(len(name) + len(value) + 10 for name, value in self.headers)
        return len(self.value or b"") + len(self.key or b"") + headers + 100


def encode(event: EventBase, *, source: str, namespace: str, traceparent: str) -> Record:
    """Return the message that carries an event."""
    key = event.key.encode()
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(event.id).encode()),
        ("ce_source", source.encode()),
        ("ce_type", event.type.encode()),
        ("ce_typeversion", b"%d" % event.version),
        ("ce_time", event.time.isoformat().encode()),
        ("ce_partitionkey", key),
        ("ce_traceparent", traceparent.encode()),
        ("content-type", b"application/json"),
    ]
    value = event.model_dump_json(exclude=_EXCLUDED).encode()
    return Record(namespace + event.topic, key, value, headers)


def header_texts(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Return headers as text; of several with one name, the last."""
    return {name: value.decode(errors="replace") if value else "" for name, value in headers}


def decode(
    value: bytes | None, headers: Mapping[str, str], events: Mapping[str, Mapping[int, type[Any]]]
) -> EventBase | None:
    """Return the event that a message carries, or None when its type is of no interest.

    Args:
        value: the message's body.
        headers: the message's headers.
        events: the classes of interest, by type and version.

    Raises:
        UnreadableMessageError: it is not an event, or not one that the class describes.
    """
    kind, version = headers.get("ce_type"), headers.get("ce_typeversion", "1")
    if kind is None:
        raise UnreadableMessageError("it has no header ce_type")
    versions = events.get(kind)
    if versions is None:
        return None
    cls = versions.get(int(version) if version.isdecimal() else 0)
    if cls is None:
        raise UnreadableMessageError(f"version {version} of {kind} is not known here")
    try:
        body = _BODY.validate_json(value or b"")
        body["id"], body["time"] = headers.get("ce_id"), headers.get("ce_time")
        event: EventBase = cls.model_validate(body)
    except (ValidationError, ValueError, TypeError) as error:
        raise UnreadableMessageError(f"it is no {kind}: {error}") from error
    return event
