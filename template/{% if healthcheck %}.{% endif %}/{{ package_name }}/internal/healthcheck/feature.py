"""The health check as a feature of the service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..feature import Feature
from ..http.openapi import Application
from ..resources import Resources
from ..tasks import tasks_run
from .probes import Health
from .router import router


@asynccontextmanager
async def background(resources: Resources) -> AsyncIterator[Health]:
    """Gather the probes of all features: the endpoints run them."""
    yield Health(resources.get(Application).features, resources)


FEATURE = Feature(background=background, routers=(router,), reported_probes={"tasks": tasks_run})
