"""Kafka as a feature of the service: what starts with it, its probes, and its reports."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import structlog

from ..feature import Feature, NotReadyError
from ..http.openapi import Application
from ..http.problems import ProblemKind
from ..resources import Resources
from ..tasks import running
from .consumer_base import Consumers
from .consuming.worker import Worker, Workers
from .delivery import PROBES, relaying
from .errors import BrokersUnavailable, ProducerBufferFull
from .sender import Sender
from .settings import KafkaSettings

TRY_AGAIN = "Events cannot be sent just now: try again."

logger = structlog.get_logger(__name__)


class ConsumersStoppedError(NotReadyError):
    """Consumers do not get any messages."""


@asynccontextmanager
async def start(resources: Resources) -> AsyncIterator[Sender]:
    """Start to send, whether brokers answer yet or not; send what is left at the end."""
    # The service logs the events of its clients itself, once each.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    async with Sender(resources.get(KafkaSettings)) as sender:
        yield sender


@asynccontextmanager
async def background(resources: Resources) -> AsyncIterator[tuple[object, ...]]:
    """Start to consume; at the end all consumers drain at the same time."""
    app, sender = resources.get(Application), resources.get(Sender)
    interval = resources.get(KafkaSettings).kafka_report_interval
    workers = Workers(Worker(resources, consumer(app)) for consumer in resources.get(Consumers))
    async with relaying(resources) as relayed:
        try:
            for worker in workers:
                await worker.__aenter__()
            async with running(resources, "kafka-reports", report(workers, sender, interval)):
                yield (workers, *relayed)
        finally:
            await asyncio.gather(*(worker.__aexit__() for worker in workers))


async def report(workers: Workers, sender: Sender, interval: float) -> None:
    """Log the numbers of every consumer and of the producer, again after each interval."""
    while True:
        await asyncio.sleep(interval)
        try:
            for worker in workers:
                logger.info("consumer report", consumer=worker.group, **worker.state())
            logger.info("producer report", waiting=sender.waiting)
        except Exception:
            logger.exception("report failed")


async def brokers_answer(resources: Resources) -> str:
    """Ask a broker for an answer."""
    return await resources.get(Sender).check()


async def consumers_run(resources: Resources) -> str:
    """Return how far each consumer is.

    Raises:
        ConsumersStoppedError: one of them is not in its group.
    """
    workers = resources.get(Workers)
    stopped = [f"{worker.group}: {worker.failure}" for worker in workers if worker.failure]
    if stopped:
        raise ConsumersStoppedError("; ".join(stopped))
    return "; ".join(
        " ".join([worker.group, *(f"{name}={number}" for name, number in worker.state().items())])
        for worker in workers
    )


FEATURE = Feature(
    start=start,
    background=background,
    problems={
        BrokersUnavailable: ProblemKind(HTTPStatus.SERVICE_UNAVAILABLE, TRY_AGAIN, retry_after=1),
        ProducerBufferFull: ProblemKind(HTTPStatus.SERVICE_UNAVAILABLE, TRY_AGAIN, retry_after=1),
    },
    reported_probes={"kafka": brokers_answer, "consumers": consumers_run, **PROBES},
)
