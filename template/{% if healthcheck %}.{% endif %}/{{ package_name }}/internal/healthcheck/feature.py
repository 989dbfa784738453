"""The health check as a feature of the service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ..feature import Feature
from ..tasks import tasks_run
from .probes import Health
from .router import router


@asynccontextmanager
async def start(app: FastAPI) -> AsyncIterator[None]:
    """Gather the probes of all features: the endpoints run them."""
    app.state.health = Health(app)
    yield


FEATURE = Feature(start=start, routers=(router,), reported_probes={"tasks": tasks_run})
