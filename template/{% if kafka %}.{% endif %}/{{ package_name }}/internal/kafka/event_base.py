"""The base class of events."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from ..utils import new_id, utc_now

ATTRIBUTES = frozenset({"id", "time"})
"""Fields that are sent as headers. All others are in the body."""


def _uuid_or_text(value: object) -> object:
    """Convert the text of a UUID to a UUID, and return any other value unchanged."""
    try:
        uuid = UUID(value) if isinstance(value, str) else None
    except ValueError:
        return value
    return uuid if uuid and str(uuid) == value else value


def _with_offset(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.utcoffset() is None else time


class EventBase(BaseModel):
    """An event: something that has happened. Events with the same key keep their order.

    A subclass defines its `topic` and its `type`, which never change. A change that would break
    readers of the event needs a new class with the next `version`.

    `id` is a UUID for our own events; another service's events may have any text. `time` has an
    offset. A time without an offset is in UTC.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    topic: ClassVar[str]
    type: ClassVar[str]
    version: ClassVar[int] = 1

    # The aliases are the names of headers, so a field of the body may be named `id` or `time`.
    id: Annotated[UUID | str, BeforeValidator(_uuid_or_text)] = Field(
        default_factory=new_id, validation_alias="ce_id"
    )
    time: Annotated[datetime, AfterValidator(_with_offset)] = Field(
        default_factory=utc_now, validation_alias="ce_time"
    )

    @property
    def key(self) -> str:
        """The key: it identifies the changed object."""
        return str(self.id)

    @classmethod
    def body_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the body, for readers of the event."""
        schema = cls.model_json_schema(mode="serialization")
        if reference := schema.pop("$ref", None):  # the event refers to itself
            schema = {**schema["$defs"][reference.rpartition("/")[2]], **schema}
        fields = cls.model_fields.items()
        aliases = {name: field.serialization_alias or name for name, field in fields}
        body = {alias for name, alias in aliases.items() if name not in ATTRIBUTES}
        hidden = {aliases[name] for name in ATTRIBUTES} - body
        properties = schema.get("properties", {})
        schema["properties"] = {
            name: value for name, value in properties.items() if name not in hidden
        }
        required = [name for name in schema.pop("required", ()) if name not in hidden]
        return {**schema, "required": required} if required else schema
