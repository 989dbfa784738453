"""Features start in order, stop in reverse, and clean up after one that cannot start."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import asyncpg
import pytest
from fastapi import FastAPI

from orders.internal import lifespan as module
from orders.internal.feature import Feature, NotReadyError
from orders.internal.healthcheck.probes import run_probes
from orders.main import create_app

from .helpers import serve, settings
from tests.harness import check_response


def recording(
    name: str, log: list[str], *, fails: bool = False
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return a start that writes down what happens to it."""

    @asynccontextmanager
    async def start(_: FastAPI) -> AsyncIterator[None]:
        if fails:
            raise RuntimeError(f"{name} cannot start")
        log.append(f"{name} starts")
        try:
            yield
        finally:
            log.append(f"{name} stops")

    return start


async def test_features_stop_in_reverse(monkeypatch: pytest.MonkeyPatch) -> None:
    """What started last may lean on what started before, until its end."""
    log: list[str] = []
    features = tuple(Feature(start=recording(name, log)) for name in ("one", "two"))
    monkeypatch.setattr(module, "FEATURES", features)
    async with serve(create_app(settings())):
        log.append("serves")
    assert log == ["one starts", "two starts", "serves", "two stops", "one stops"]


async def test_a_start_that_fails_stops_what_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the first feature's to fail, and nothing stays open."""
    log: list[str] = []
    features = (
        Feature(start=recording("one", log)),
        Feature(start=recording("two", log, fails=True)),
    )
    monkeypatch.setattr(module, "FEATURES", features)
    with pytest.raises(RuntimeError, match="two cannot start"):
        async with serve(create_app(settings())):
            pytest.fail("it must not serve")
    assert log == ["one starts", "one stops"]


async def test_probes_run_at_once_and_each_within_its_time() -> None:
    """One that hangs and one that raises do not keep the third from being heard."""

    async def hangs(_: FastAPI) -> str:
        await asyncio.sleep(60)
        return "never"

    async def raises(_: FastAPI) -> str:
        raise NotReadyError("the disk is full")

    async def breaks(_: FastAPI) -> str:
        raise ValueError("planted-secret")

    async def fine(_: FastAPI) -> str:
        return "answers"

    app = create_app(settings())
    probes = {"hangs": hangs, "raises": raises, "breaks": breaks, "fine": fine}
    app.state.features = (Feature(start=recording("one", []), probes=probes),)
    checks = await run_probes(app, 0.1)
    assert {name: (check.status, check.detail) for name, check in checks.items()} == {
        "hangs": ("failed", "no answer within 0.1 s"),
        "raises": ("failed", "the disk is full"),
        "breaks": ("failed", "does not answer"),
        "fine": ("ok", "answers"),
    }


async def test_readiness_names_what_fails() -> None:
    """A database that is away makes the service unready, by the probe's name, and not dead."""
    async with serve(create_app(settings())) as client:
        problem = check_response(await client.get("/healthcheck/ready"), 503)
        assert {"database", "schema"} <= {error["location"] for error in problem["errors"]}
        assert (await client.get("/healthcheck/live")).status_code == 200


async def test_a_schema_that_is_ahead_is_served_from(migrated_postgres: str) -> None:
    """The next version migrates first: until it is there, this one goes on."""
    async with serve(create_app(settings(database_url=str(migrated_postgres)))) as client:
        connection = await asyncpg.connect(str(migrated_postgres))
        await connection.execute("UPDATE alembic_version SET version_num = 'newer'")
        await connection.close()
        response = await client.get("/healthcheck/ready")
        assert response.status_code == 200
        assert "newer" in response.json()["data"]["checks"]["schema"]["detail"]


async def test_readiness_says_whether_the_schema_is_at_head(postgres: str) -> None:
    """A database that was never migrated is no place to serve from."""
    async with serve(create_app(settings(database_url=str(postgres)))) as client:
        problem = check_response(await client.get("/healthcheck"), 503)
        assert [error["location"] for error in problem["errors"] if "revision" in error["message"]]
