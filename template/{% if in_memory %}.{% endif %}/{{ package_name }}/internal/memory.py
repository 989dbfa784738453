"""Keeps models in the memory of the process: they are gone when it stops."""

from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Depends, FastAPI, Request

Model = TypeVar("Model")


class Memory:
    """The models of an application, by their class and id."""

    def __init__(self) -> None:
        self._models: dict[type[Any], dict[UUID, Any]] = {}

    def models(self, kind: type[Model]) -> dict[UUID, Model]:
        """Return the models of one class, to read and to change."""
        return self._models.setdefault(kind, {})


def memory_of(app: FastAPI) -> Memory:
    """Return the memory of an application."""
    if not hasattr(app.state, "memory"):
        app.state.memory = Memory()
    memory: Memory = app.state.memory
    return memory


async def request_memory(request: Request) -> Memory:
    """Return the memory of the application that a request came to."""
    return memory_of(request.app)


ApplicationMemory = Annotated[Memory, Depends(request_memory)]
