"""The health check as a feature of the service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ..feature import Feature
from .router import router


@asynccontextmanager
async def start(_app: FastAPI) -> AsyncIterator[None]:
    """Hold nothing: the endpoints look at what the other features hold."""
    yield


FEATURE = Feature(start=start, routers=(router,))
