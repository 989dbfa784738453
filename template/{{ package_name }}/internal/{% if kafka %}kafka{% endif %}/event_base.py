"""The base of every event."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ..utils import new_id, utc_now


class EventBase(BaseModel):
    """Something that has happened. Events with the same key keep their order."""

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
