"""Every valid CloudEvent can be read, and our own events follow their stored schema."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any, ClassVar
from uuid import UUID

import pytest
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from orders.internal.kafka import EventBase
from orders.internal.kafka.cloud_events import binary_mode, decode, encode, header_texts
from orders.internal.kafka.consuming.attempt import message_id
from orders.internal.kafka.dead_letters import dead_letter
from orders.internal.kafka.errors import UnreadableMessageError

ID = "0b7e9d1e-1111-4111-8111-111111111111"
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


class Plain(EventBase):
    """An event with the same field names on the wire as in Python."""

    topic: ClassVar[str] = "t"
    type: ClassVar[str] = "happened"

    order_id: int = 1


class Aliased(Plain):
    """An event with a field that has another name on the wire."""

    order_id: int = Field(1, alias="orderId")


class CamelCase(Plain):
    """An event in which all fields have other names on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", populate_by_name=True)


class Written(Plain):
    """An event with a field that has another name only when it is written."""

    order_id: int = Field(1, serialization_alias="orderId")


class OwnId(Plain):
    """An event with fields named like CloudEvents attributes."""

    order_id: int = Field(1, alias="id")
    at: str = Field("noon", alias="time")


class Recursive(Plain):
    """An event that contains others of its type."""

    parts: tuple[Recursive, ...] = ()


class Optional(EventBase):
    """An event without required fields."""

    topic: ClassVar[str] = "t"
    type: ClassVar[str] = "happened"

    note: str | None = None


EVENTS = [Plain, Aliased, CamelCase, Written, OwnId, Recursive, Optional]


def read(body: str = "{}", **headers: str) -> Any:  # noqa: ANN401 - any event
    """Return the event in a message, after adding the required headers."""
    always = {"ce_type": "happened", "ce_id": ID}
    return decode(body.encode(), {**always, **headers}, {"happened": {1: Plain}}, NEW_YEAR)


@pytest.mark.parametrize("cls", EVENTS)
def test_an_event_follows_its_schema_and_can_be_read_back(cls: type[EventBase]) -> None:
    """The names on the wire are those of the schema, whatever the Python names are."""
    event = cls()
    record = encode(event, source="orders", namespace="", traceparent="")
    assert set(json.loads(record.value or b"")) == set(cls.body_schema()["properties"])
    assert decode(record.value, header_texts(record.headers), {"happened": {1: cls}}) == event


@pytest.mark.parametrize("text", ["order-17", "17", " ", "ü", ID.upper(), "urn:uuid:" + ID])
def test_an_id_is_any_text(text: str) -> None:
    """A handler sees another service's id unchanged."""
    assert read(ce_id=text).id == text
    assert read(ce_id=ID).id == UUID(ID)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T00:00:00Z", NEW_YEAR),
        ("2026-01-01t00:00:00z", NEW_YEAR),
        ("2026-01-01T05:30:00+05:30", NEW_YEAR),
        ("2026-01-01T00:00:00-00:00", NEW_YEAR),
        ("2026-01-01T00:00:00.123456789Z", NEW_YEAR + timedelta(microseconds=123456)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2026-01-01T00:00:00", NEW_YEAR),
        ("", NEW_YEAR),
    ],
)
def test_a_time_is_any_timestamp_or_missing(text: str, expected: datetime) -> None:
    """Any RFC 3339 timestamp is valid. Without one, the message's timestamp counts."""
    assert read(ce_time=text).time == expected


@pytest.mark.parametrize(
    "time",
    [
        datetime(2026, 1, 1),  # noqa: DTZ001 - the mistake that is to be forgiven
        NEW_YEAR,
        NEW_YEAR.astimezone(timezone(timedelta(hours=2, seconds=30))),
    ],
)
def test_our_own_time_has_an_offset(time: datetime) -> None:
    """Also if the event's time was made without an offset."""
    headers = encode(Plain(time=time), source="orders", namespace="", traceparent="").headers
    assert dict(headers)["ce_time"] == b"2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"ce_id": ""}, "{}"),
        ({"ce_time": "yesterday"}, "{}"),
        ({"ce_type": ""}, "{}"),
        ({"ce_typeversion": "9" * 5000}, "{}"),
        ({}, "[]"),
        ({}, "{"),
        ({}, '{"order_id": "x"}'),
    ],
)
def test_an_invalid_event_is_reported_as_such(headers: dict[str, str], body: str) -> None:
    """It becomes a dead letter at once, because another attempt would not help."""
    with pytest.raises(UnreadableMessageError):
        read(body, **headers)


@pytest.mark.parametrize(
    "data", ['"data": {"order_id": 4}', '"data_base64": "eyJvcmRlcl9pZCI6NH0="']
)
def test_structured_mode_is_read(data: str) -> None:
    """An event that is all JSON is read like one with attributes in headers."""
    text = f'{{"specversion": "1.0", "id": "17", "type": "happened", "source": "/s", {data}}}'
    content_type = {"content-type": "application/cloudevents+json; charset=utf-8"}
    value, headers = binary_mode(text.encode(), content_type)
    event: Any = decode(value, headers, {"happened": {1: Plain}})
    assert (event.id, event.order_id) == ("17", 4)
    assert message_id(None, headers) == "/s#17"
    with pytest.raises(UnreadableMessageError):
        binary_mode(b"[", content_type)


def test_different_events_have_different_ids_in_the_inbox() -> None:
    """Two events never have the same id in the inbox, and each id fits into the column."""
    message = SimpleNamespace(topic="t", partition=0, offset=1)
    pairs = [("a#b", "c"), ("a", "b#c"), ("s", "x" * 5000), ("s", "x" * 5001), ("s", "a\0")]
    texts = [{"ce_source": source, "ce_id": event_id} for source, event_id in pairs]
    texts += [header_texts([("ce_id", code)]) for code in (b"\xff", b"\xfe")]
    ids = [message_id(message, headers) for headers in [*texts, {}]]
    assert len(set(ids)) == len(ids)
    assert max(len(inbox_id) for inbox_id in ids) < 2000
    assert message_id(message, {"ce_source": "orders", "ce_id": ID}) == f"orders#{ID}"
    assert not any("\0" in inbox_id for inbox_id in ids)


class WordlessError(Exception):
    """An error whose text cannot be read."""

    def __str__(self) -> str:
        """Fail."""
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError(b"caf\xe9".decode(errors="surrogateescape")), "ValueError: caf\\udce9"),
        (WordlessError(), "WordlessError"),
    ],
)
def test_any_error_makes_a_dead_letter(error: Exception, text: str) -> None:
    """The dead letter contains the message, even with headers that are not UTF-8."""
    headers = (("ce_id", b"\xff"), ("empty", None))
    message = SimpleNamespace(
        topic="t", partition=0, offset=1, key=b"k", value=b"\xff", headers=headers
    )
    record = dead_letter(message, error, 5, "group")
    letter_headers = dict(record.headers)
    assert (record.value, letter_headers["ce_id"]) == (b"\xff", b"\xff")
    assert letter_headers["dead_letter_error"].decode() == text
