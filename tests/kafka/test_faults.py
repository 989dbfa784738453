"""After any kill, no event is lost, no effect happens twice, and keys keep their order."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from time import monotonic

import pytest

from tests.kafka.broker import Broker
from tests.kafka.load import Load, account, settle
from tests.kafka.replica import PATIENCE, Replicas

REPLICAS = 4

UnderLoad = Callable[[Callable[[Load], Awaitable[None]]], Awaitable[None]]


@pytest.fixture
def under_load(
    replicas: Replicas,
    migrated_postgres: str,
    brokers: str,
    kafka_namespace: str,
    report: Callable[[str], None],
) -> UnderLoad:
    """Causes a fault during a load, and checks the counts at the end."""

    async def run(trouble: Callable[[Load], Awaitable[None]]) -> None:
        load = Load(replicas, migrated_postgres)
        started = monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            group.create_task(trouble(load))  # type: ignore[arg-type]
        written = monotonic()
        await settle(migrated_postgres)
        settled = monotonic()
        outcome = await account(migrated_postgres, brokers, f"{kafka_namespace}products")
        report(f"{written - started:.1f} s of load, {settled - written:.1f} s to settle: {outcome}")
        outcome.check()

    return run


async def test_the_service_is_killed_three_times(replicas: Replicas, under_load: UnderLoad) -> None:
    """Kill -9 at random moments in 5,000 writes."""
    port = await replicas.start()

    async def trouble(load: Load) -> None:
        for kill_number in range(3):
            await load.until((kill_number + random.random()) / 3)  # noqa: S311
            replicas.kill(port)
            await replicas.start(port)

    await under_load(trouble)


async def test_the_broker_is_killed_and_restarted(
    replicas: Replicas, broker: Broker, under_load: UnderLoad
) -> None:
    """Writes succeed without a broker, and their events are sent afterwards."""
    port = await replicas.start()

    async def trouble(load: Load) -> None:
        await load.until(0.3)
        async with broker.away():
            before = load.done
            await asyncio.sleep(2)
            assert load.done > before, "no write was taken while the broker was away"
            async with asyncio.timeout(PATIENCE):  # under this load a probe may take too long
                while "kafka" not in await replicas.degraded(port):  # noqa: ASYNC110 - of the replica
                    await asyncio.sleep(0.1)

    await under_load(trouble)


async def test_replicas_come_and_go(replicas: Replicas, under_load: UnderLoad) -> None:
    """A second replica joins, the first is killed, a third joins, the second stops."""
    first = await replicas.start()

    async def trouble(load: Load) -> None:
        await load.until(0.2)
        second = await replicas.start()
        await load.until(0.45)
        replicas.kill(first)
        await load.until(0.6)
        await replicas.start()
        await load.until(0.8)
        await replicas.stop(second)

    await under_load(trouble)


async def test_four_replicas_start_together(
    postgres: str,
    brokers: str,
    kafka_namespace: str,
    report: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On an empty database, and in one consumer group, all become ready."""
    monkeypatch.setenv("ORDERS_MIGRATE_ON_START", "true")
    started = monotonic()
    async with Replicas(str(postgres), brokers, kafka_namespace) as replicas:
        async with asyncio.TaskGroup() as group:
            for _ in range(REPLICAS):
                group.create_task(replicas.start())
        async with asyncio.timeout(PATIENCE):
            for port in replicas.ports:
                while not await replicas.is_ready(port):  # noqa: ASYNC110 - of the replica
                    await asyncio.sleep(0.1)
    report(f"{REPLICAS} replicas ready after {monotonic() - started:.1f} s")
