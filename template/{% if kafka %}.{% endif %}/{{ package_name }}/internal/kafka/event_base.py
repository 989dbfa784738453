"""The base of every event."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from ..utils import new_id, utc_now

ATTRIBUTES = frozenset({"id", "time"})
"""Fields that travel in headers; all others are the body."""


def _uuid_or_text(value: object) -> object:
    """Return a UUID for the text that a UUID is written as, and anything else as it is."""
    try:
        found = UUID(value) if isinstance(value, str) else None
    except ValueError:
        return value
    return found if found and str(found) == value else value


def _with_offset(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.utcoffset() is None else time


class EventBase(BaseModel):
    """Something that has happened. Events with the same key keep their order.

    A subclass names its `topic` and its `type`, which stay for ever. A change that would break
    those who read the event makes a new class with the next `version`.

    `id` is a UUID for our own events; another service's events may have any text. `time` has an
    offset; one that is given without is in UTC.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    topic: ClassVar[str]
    type: ClassVar[str]
    version: ClassVar[int] = 1

    # The names of the headers, so that a field of the body may be called `id` or `time` there.
    id: Annotated[UUID | str, BeforeValidator(_uuid_or_text)] = Field(
        default_factory=new_id, validation_alias="ce_id"
    )
    time: Annotated[datetime, AfterValidator(_with_offset)] = Field(
        default_factory=utc_now, validation_alias="ce_time"
    )

    @property
    def key(self) -> str:
        """What the event is about."""
        return str(self.id)

    @classmethod
    def body_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the body, as readers see it."""
        schema = cls.model_json_schema(mode="serialization")
        if reference := schema.pop("$ref", None):  # the event refers to itself
            schema = {**schema["$defs"][reference.rpartition("/")[2]], **schema}
        fields = cls.model_fields.items()
        written = {name: field.serialization_alias or name for name, field in fields}
        body = {alias for name, alias in written.items() if name not in ATTRIBUTES}
        hidden = {written[name] for name in ATTRIBUTES} - body
        properties = schema.get("properties", {})
        schema["properties"] = {
            name: value for name, value in properties.items() if name not in hidden
        }
        required = [name for name in schema.pop("required", ()) if name not in hidden]
        return {**schema, "required": required} if required else schema
