"""Run all consumers of the service."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from .worker import Worker


@asynccontextmanager
async def consumers(workers: Sequence[Worker]) -> AsyncIterator[None]:
    """Consume while the block runs. Then stop all consumers together within the drain timeout."""
    try:
        for worker in workers:
            await worker.__aenter__()
        yield
    finally:
        await asyncio.gather(*(worker.__aexit__() for worker in workers))
