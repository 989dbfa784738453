"""Lists of models in memory equal those of PostgreSQL."""

from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from orders.domain.common.memory_repository_base import MemoryRepositoryBase
from orders.internal.memory import Memory

from ..things import THINGS, check_walk, check_walk_while_adding, random_parameters, random_thing


class ThingRepository(MemoryRepositoryBase[Any]):
    """Keeps things."""

    model = SimpleNamespace
    lists = THINGS


@pytest.mark.parametrize("seed", range(3))
async def test_pages_in_memory_equal_those_of_a_table(seed: int) -> None:
    """Forwards and backwards, for random sorts and filters, also while models are added."""
    rng = Random(seed)  # noqa: S311 - no secret
    things, repository = list[Any](), ThingRepository(Memory())

    async def add() -> None:
        for _ in range(2):
            things.append(await repository.add(SimpleNamespace(**random_thing(rng))))

    for _ in range(20):
        await add()
    for _ in range(40):
        parameters = {**random_parameters(rng), "limit": rng.randrange(1, 30)}
        await check_walk(repository.find, things, parameters)
    for _ in range(5):
        parameters = {**random_parameters(rng), "limit": 9}
        await check_walk_while_adding(repository.find, add, things, parameters)
