"""Connections of the pool: the server lets them write only within a writing transaction."""

from time import monotonic
from typing import Final, Literal

import asyncpg
from asyncpg.transaction import Transaction

READ_ONLY: Final = "SET default_transaction_read_only = on"
"""What a connection is outside writing transactions."""

BEGIN: Final = "BEGIN; RESET default_transaction_read_only; COMMIT; BEGIN"
"""Begins a transaction in the mode that the server itself has: a standby stays read-only."""

Isolation = Literal["read_committed", "read_uncommitted", "serializable", "repeatable_read"]


class PooledConnection(asyncpg.Connection):
    """A connection that reads, outside transactions and in read-only ones, and writes in others."""

    begun = 0.0
    """When the current writing transaction began."""

    def transaction(
        self,
        *,
        isolation: Isolation | None = None,
        readonly: bool = False,
        deferrable: bool = False,
    ) -> Transaction:
        """Return a transaction that is not begun yet."""
        if readonly:
            return super().transaction(
                isolation=isolation, readonly=readonly, deferrable=deferrable
            )
        return WritingTransaction(self, isolation)


class WritingTransaction(Transaction):
    """Makes its connection writable and read-only again, in the round trips of BEGIN and COMMIT."""

    def __init__(self, connection: PooledConnection, isolation: Isolation | None) -> None:
        super().__init__(connection, isolation, readonly=False, deferrable=False)
        self._pooled = connection
        self._level = (isolation or "read_committed").replace("_", " ").upper()

    async def start(self) -> None:
        """Begin."""
        self._pooled.begun = monotonic()
        await self._pooled.execute(f"{BEGIN} ISOLATION LEVEL {self._level}")

    async def commit(self) -> None:
        """Commit."""
        try:
            await self._pooled.execute(f"COMMIT; {READ_ONLY}")
        except asyncpg.PostgresError:
            if not self._pooled.is_closed():
                await self._pooled.execute(READ_ONLY)
            raise

    async def rollback(self) -> None:
        """Undo everything."""
        await self._pooled.execute(f"ROLLBACK; {READ_ONLY}")
