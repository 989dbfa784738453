"""What the service says of its brokers and its consumers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from ..feature import NotReadyError
from ..http.openapi import Application
from ..resources import Resources
from ..tasks import running
from .consuming import Worker
from .sender import Sender

logger = structlog.get_logger(__name__)


class ConsumersStoppedError(NotReadyError):
    """Consumers do not get any messages."""


async def brokers_answer(resources: Resources) -> str:
    """Ask a broker for an answer."""
    return await resources.get(Sender).check()


async def consumers_run(resources: Resources) -> str:
    """Say how far each consumer is, and fail when one of them is out of its group."""
    workers: list[Worker] = resources.get(Application).state.workers
    stopped = [f"{one.group}: {one.failure}" for one in workers if one.failure]
    if stopped:
        raise ConsumersStoppedError("; ".join(stopped))
    return "; ".join(
        " ".join([one.group, *(f"{name}={number}" for name, number in one.state().items())])
        for one in workers
    )


@asynccontextmanager
async def reports(app: Application) -> AsyncIterator[None]:
    """Log the numbers of every consumer now and then."""
    async with running(app.resources, "kafka-reports", _report(app)):
        yield


async def _report(app: Application) -> None:
    while True:
        await asyncio.sleep(app.state.settings.kafka_report_interval)
        try:
            for worker in app.state.workers:
                logger.info("consumer report", consumer=worker.group, **worker.state())
            logger.info("producer report", waiting=app.state.producer.waiting)
        except Exception:
            logger.exception("report failed")
