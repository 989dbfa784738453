"""A leader does not wait for a database that does not answer."""

import asyncio
from time import monotonic

import pytest

from orders.internal.kafka.outbox import relay as module


async def test_a_server_that_does_not_answer_is_given_up(
    migrated_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the connection falls silent, the leader gives up within a limited time."""
    monkeypatch.setattr(module, "COMMAND_TIMEOUT", 0.3, raising=False)
    started = monotonic()
    with pytest.raises(TimeoutError):
        async with (
            asyncio.timeout(60),
            module.leadership(
                migrated_postgres, poll=0.1, timeout=5, wake=lambda: None
            ) as connection,
        ):
            await connection.execute("SELECT pg_sleep(9)")
    assert monotonic() - started < 6
