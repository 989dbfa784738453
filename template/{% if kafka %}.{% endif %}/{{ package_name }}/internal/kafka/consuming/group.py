"""Runs all consumers of the service."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from .worker import Worker


@asynccontextmanager
async def consumers(workers: Sequence[Worker]) -> AsyncIterator[None]:
    """Consume for as long as the block runs; then all stop at once, within one drain timeout."""
    try:
        for worker in workers:
            await worker.__aenter__()
        yield
    finally:
        await asyncio.gather(*(worker.__aexit__() for worker in workers))
