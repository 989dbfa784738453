"""Kafka as a feature of the service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ..feature import Feature
from .producer_base import ProducerBase


@asynccontextmanager
async def start(app: FastAPI) -> AsyncIterator[None]:
    """Start the producer, and drain it at the end."""
    producer = ProducerBase(app.state.settings)
    try:
        await producer.start()
        app.state.producer = producer
        yield
    finally:
        await producer.stop()


FEATURE = Feature(start=start)
