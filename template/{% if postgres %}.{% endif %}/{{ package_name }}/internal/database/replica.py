"""The replica that readers use, for as long as it keeps up with the primary."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final

import asyncpg
import structlog
from sqlalchemy import text

from .errors import DatabaseError
from .reader import DatabaseReader

INTERVAL: Final = 1.0
"""Seconds between two checks."""

ANSWER_TIMEOUT: Final = 2.0
"""Seconds in which a healthy replica answers a check."""

WRITTEN = text(
    "SELECT pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
    " ELSE pg_current_wal_lsn() END, '0/0')"
)
"""How much the primary has written: a position in its log."""

REPLAYED: Final = (
    "SELECT CASE WHEN pg_is_in_recovery()"
    " THEN coalesce(pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0'), 0) END"
)
"""How much of it a replica has; null on a server that is not a replica."""

NO_ANSWER: Final = (
    DatabaseError,
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

logger = structlog.get_logger(__name__)


class Replica:
    """Checks a replica against its primary, and says whether to read from it.

    Args:
        reader: reads from the replica.
        primary: reads from the primary.
        connect: opens a connection to the replica beside its pool. The checks keep it, so that a
            pool that is busy is not taken for a server that is silent.
        lag_limit: how many seconds the replica may be behind.
    """

    def __init__(
        self,
        reader: DatabaseReader,
        primary: DatabaseReader,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        lag_limit: float,
    ) -> None:
        self.reader = reader
        self.problem: str | None = "it was not checked yet"
        """Why readers use the primary; None while they use the replica."""
        self._primary = primary
        self._connect = connect
        self._connection: asyncpg.Connection | None = None
        self._lag_limit = lag_limit
        self._missing = deque[tuple[int, float]]()
        """Positions of the primary that the replica did not reach yet, and when they were seen."""
        self._reads = set[asyncio.Timeout]()
        """The time limits of the reads that are running."""

    async def watch(self) -> None:
        """Check the replica until the task is cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            await self.check()

    async def check(self) -> None:
        """Find out whether to read from the replica."""
        await self._see_primary()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                replayed = await self._replayed()
        except NO_ANSWER:
            self.close()
            self.lose()
            self._end_reads()
        else:
            self._note(self._judge(replayed))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Read from the replica in this block.

        Raises:
            TimeoutError: a check found that the replica does not answer.
        """
        async with asyncio.timeout(None) as limit:
            self._reads.add(limit)
            try:
                yield
            finally:
                self._reads.discard(limit)

    def lose(self) -> None:
        """Read from the primary until the next check."""
        self._note("it does not answer")

    def close(self) -> None:
        """Close the connection of the checks."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    def _end_reads(self) -> None:
        reads, self._reads = self._reads, set()
        for limit in reads:
            limit.reschedule(asyncio.get_running_loop().time())

    async def _replayed(self) -> int | None:
        if self._connection is None:
            self._connection = await self._connect()
        position: int | None = await self._connection.fetchval(REPLAYED)
        return position

    async def _see_primary(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                written = int(await self._primary.scalar(WRITTEN))
        except (DatabaseError, TimeoutError):
            return  # the replica is compared with what is known of the primary
        if not self._missing or written > self._missing[-1][0]:
            self._missing.append((written, monotonic()))

    def _judge(self, replayed: int | None) -> str | None:
        if replayed is None:
            return "it is not a replica any more: check DATABASE_READ_URL"
        while self._missing and self._missing[0][0] <= replayed:
            self._missing.popleft()
        lag = monotonic() - self._missing[0][1] if self._missing else 0
        return f"it is {lag:.0f} s behind" if lag > self._lag_limit else None

    def _note(self, problem: str | None) -> None:
        if problem and not self.problem:
            logger.warning("reading from the primary", reason=problem)
        elif self.problem and not problem:
            logger.info("reading from the replica")
        self.problem = problem
