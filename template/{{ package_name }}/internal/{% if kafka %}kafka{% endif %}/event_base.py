"""The base of every event."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ..utils import new_id, utc_now

ATTRIBUTES = frozenset({"id", "time"})
"""Fields that travel in headers; all others are the body."""


class EventBase(BaseModel):
    """Something that has happened. Events with the same key keep their order.

    A subclass names its `topic` and its `type`, which stay for ever. A change that would break
    those who read the event makes a new class with the next `version`.
    """

    model_config = ConfigDict(frozen=True)

    topic: ClassVar[str]
    type: ClassVar[str]
    version: ClassVar[int] = 1

    id: UUID = Field(default_factory=new_id)
    time: datetime = Field(default_factory=utc_now)

    @property
    def key(self) -> str:
        """What the event is about."""
        return str(self.id)

    @classmethod
    def body_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the body, as readers see it."""
        schema = cls.model_json_schema(mode="serialization")
        schema["properties"] = {
            name: value for name, value in schema["properties"].items() if name not in ATTRIBUTES
        }
        schema["required"] = [name for name in schema["required"] if name not in ATTRIBUTES]
        return schema
