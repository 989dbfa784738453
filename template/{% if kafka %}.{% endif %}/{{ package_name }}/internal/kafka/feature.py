"""Kafka as a feature of the service."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI

from ..feature import Feature
from ..http.problems import ProblemKind
from .consuming import Worker, consumers
from .delivery import PROBES, background
from .errors import BrokersUnavailable, ProducerBufferFull
from .probes import brokers_answer, consumers_run, reports
from .sender import Sender

TRY_AGAIN = "Events cannot be sent just now: try again."


@asynccontextmanager
async def start(app: FastAPI) -> AsyncIterator[None]:
    """Begin to send and to consume, whether brokers answer yet or not; drain at the end."""
    # What matters of its news is told better here, and once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    app.state.producer = Sender(app.state.settings)
    app.state.workers = [Worker(app, consumer(app)) for consumer in app.state.consumers]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.state.producer)
        await stack.enter_async_context(background(app))
        await stack.enter_async_context(consumers(app.state.workers))
        await stack.enter_async_context(reports(app))
        yield


FEATURE = Feature(
    start=start,
    problems={
        BrokersUnavailable: ProblemKind(HTTPStatus.SERVICE_UNAVAILABLE, TRY_AGAIN, retry_after=1),
        ProducerBufferFull: ProblemKind(HTTPStatus.SERVICE_UNAVAILABLE, TRY_AGAIN, retry_after=1),
    },
    reported_probes={"kafka": brokers_answer, "consumers": consumers_run, **PROBES},
)
