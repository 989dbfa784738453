"""Kafka as a feature of the service."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus

from ..feature import Feature
from ..http.openapi import Application
from ..http.problems import ProblemKind
from ..resources import Resources
from .consuming import Worker, consumers
from .delivery import PROBES
from .delivery import background as delivery
from .errors import BrokersUnavailable, ProducerBufferFull
from .probes import brokers_answer, consumers_run, reports
from .sender import Sender
from .settings import KafkaSettings

TRY_AGAIN = "Events cannot be sent just now: try again."


@asynccontextmanager
async def start(resources: Resources) -> AsyncIterator[Sender]:
    """Begin to send, whether brokers answer yet or not; send what is left at the end."""
    # What matters of its news is told better here, and once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    async with Sender(resources.get(KafkaSettings)) as sender:
        yield sender


@asynccontextmanager
async def background(resources: Resources) -> AsyncIterator[None]:
    """Begin to consume; drain at the end."""
    app = resources.get(Application)
    app.state.producer = resources.get(Sender)
    app.state.workers = [Worker(app, consumer(app)) for consumer in app.state.consumers]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(delivery(app))
        await stack.enter_async_context(consumers(app.state.workers))
        await stack.enter_async_context(reports(app))
        yield


FEATURE = Feature(
    start=start,
    background=background,
    problems={
        BrokersUnavailable: ProblemKind(HTTPStatus.SERVICE_UNAVAILABLE, TRY_AGAIN, retry_after=1),
        ProducerBufferFull: ProblemKind(HTTPStatus.SERVICE_UNAVAILABLE, TRY_AGAIN, retry_after=1),
    },
    reported_probes={"kafka": brokers_answer, "consumers": consumers_run, **PROBES},
)
