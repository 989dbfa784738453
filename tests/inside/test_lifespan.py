"""Features start in order, stop in reverse, and clean up after a failed start."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import asyncpg
import pytest
from structlog.testing import capture_logs

from orders.internal import healthcheck
from orders.internal.feature import Feature, NotReadyError, Probe, StartError
from orders.internal.healthcheck.probes import Health
from orders.internal.resources import Resources
from orders.internal.tasks import running
from orders.main import create_app

from .helpers import serve, settings
from tests.harness import check_response


def recording(
    name: str, log: list[str], *, fails: bool = False
) -> Callable[[Resources], AbstractAsyncContextManager[None]]:
    """Return a start function that records its events."""

    @asynccontextmanager
    async def start(_: Resources) -> AsyncIterator[None]:
        if fails:
            raise RuntimeError(f"{name} cannot start")
        log.append(f"{name} starts")
        try:
            yield
        finally:
            log.append(f"{name} stops")

    return start


async def test_features_stop_in_reverse() -> None:
    """A feature can use those that started before it until it has stopped."""
    log: list[str] = []
    features = tuple(Feature(start=recording(name, log)) for name in ("one", "two"))
    async with serve(create_app(settings(), features=features)):
        log.append("serves")
    assert log == ["one starts", "two starts", "serves", "two stops", "one stops"]


async def test_a_failed_start_stops_the_started_features() -> None:
    """The error is that of the first failure, and nothing stays open."""
    log: list[str] = []
    features = (
        Feature(start=recording("one", log)),
        Feature(start=recording("two", log, fails=True)),
    )
    with pytest.raises(RuntimeError, match="two cannot start"):
        async with serve(create_app(settings(), features=features)):
            pytest.fail("it must not serve")
    assert log == ["one starts", "one stops"]


async def test_probes_run_concurrently_with_their_own_timeouts() -> None:
    """A hanging probe and a failing probe do not prevent the result of a third one."""

    async def hangs(_: Resources) -> str:
        await asyncio.sleep(60)
        return "never"

    async def raises(_: Resources) -> str:
        raise NotReadyError("the disk is full")

    async def breaks(_: Resources) -> str:
        raise ValueError("planted-secret")

    async def fine(_: Resources) -> str:
        return "answers"

    probes = {"hangs": hangs, "raises": raises, "breaks": breaks, "fine": fine}
    resources = Resources(settings(healthcheck_timeout=0.1))
    checks = await Health([Feature(probes=probes)], resources).check()
    assert {name: (check.status, check.detail) for name, check in checks.items()} == {
        "hangs": ("failed", "no answer within 0.1 s"),
        "raises": ("failed", "the disk is full"),
        "breaks": ("failed", "does not answer"),
        "fine": ("ok", "answers"),
    }


async def test_readiness_lists_failing_probes() -> None:
    """Without its database, the service is not ready but alive. The problem names the probe."""
    async with serve(create_app(settings())) as client:
        problem = check_response(await client.get("/healthcheck/ready"), 503)
        assert {"database", "schema"} <= {error["location"] for error in problem["errors"]}
        assert (await client.get("/healthcheck/live")).status_code == 200


async def test_a_newer_schema_is_ready(migrated_postgres: str) -> None:
    """The next version migrates first, while this version still serves."""
    async with serve(create_app(settings(database_url=str(migrated_postgres)))) as client:
        connection = await asyncpg.connect(str(migrated_postgres))
        await connection.execute("UPDATE alembic_version SET version_num = 'newer'")
        await connection.close()
        response = await client.get("/healthcheck/ready")
        assert response.status_code == 200
        assert "newer" in response.json()["data"]["checks"]["schema"]["detail"]


async def test_readiness_checks_that_the_schema_is_at_head(postgres: str) -> None:
    """A database without migrations is not ready."""
    async with serve(create_app(settings(database_url=str(postgres)))) as client:
        problem = check_response(await client.get("/healthcheck"), 503)
        assert [error["location"] for error in problem["errors"] if "revision" in error["message"]]


class TestReportedProbes:
    """Probes that are only reported do not make the service unready."""

    @pytest.fixture(name="broken")
    def _broken(self) -> list[str]:
        """A list of names of failing probes, which tests change."""
        return []

    @pytest.fixture(name="features")
    def _features(self, broken: list[str]) -> tuple[Feature, ...]:
        """Return features with a required probe, `near`, and a reported one, `far`."""

        def probe(name: str) -> Probe:
            async def check(_: Resources) -> str:
                if name in broken:
                    raise NotReadyError(f"{name} is away")
                return "answers"

            return check

        feature = Feature(
            probes={"near": probe("near")},
            reported_probes={"far": probe("far")},
        )
        return feature, healthcheck.FEATURE

    async def test_the_response_lists_degraded_probes(
        self, broken: list[str], features: tuple[Feature, ...]
    ) -> None:
        """The service stays ready, so that an outage does not remove all replicas at once."""
        async with serve(create_app(settings(), features=features)) as client:
            data = (await client.get("/healthcheck/ready")).json()["data"]
            assert (data["status"], data["degraded"]) == ("ready", [])
            broken.append("far")
            response = await client.get("/healthcheck/ready")
            assert response.status_code == 200
            data = response.json()["data"]
            assert (data["status"], data["degraded"]) == ("degraded", ["far"])
            assert data["checks"]["far"]["detail"] == "far is away"
            assert data["checks"]["far"]["required"] is False

    async def test_a_required_probe_decides(
        self, broken: list[str], features: tuple[Feature, ...]
    ) -> None:
        """The problem lists all failing probes, the required ones first."""
        broken += ["near", "far"]
        async with serve(create_app(settings(), features=features)) as client:
            problem = check_response(await client.get("/healthcheck/ready"), 503)
        assert problem["detail"] == "Not ready: near."
        failed = [(error["location"], error["type"]) for error in problem["errors"]]
        assert failed == [("near", "probe"), ("far", "degraded")]

    async def test_a_setting_requires_a_probe(
        self, broken: list[str], features: tuple[Feature, ...]
    ) -> None:
        """For a service that cannot work without the resource."""
        broken.append("far")
        async with serve(
            create_app(settings(healthcheck_required="far"), features=features)
        ) as client:
            problem = check_response(await client.get("/healthcheck/ready"), 503)
        assert problem["detail"] == "Not ready: far."

    async def test_an_unknown_probe_cannot_be_required(self, features: tuple[Feature, ...]) -> None:
        """The message has the variable, and the probes to choose from."""
        with pytest.raises(StartError, match=r"^ORDERS_HEALTHCHECK_REQUIRED: .*near, far, tasks"):
            async with serve(create_app(settings(healthcheck_required="fra"), features=features)):
                pytest.fail("it must not serve")

    async def test_each_change_is_logged_once(
        self, broken: list[str], features: tuple[Feature, ...]
    ) -> None:
        """Also if the platform polls often."""
        app = create_app(settings(), features=features)
        async with serve(app) as client:
            with capture_logs() as logs:
                for failing in (["far"], ["far"], [], []):
                    broken[:] = failing
                    await client.get("/healthcheck/ready")
        changes = [(log["event"], log["probe"]) for log in logs if "probe" in log]
        assert changes == [("probe failed", "far"), ("probe recovered", "far")]

    async def test_a_task_that_ends_is_logged_and_reported(
        self, features: tuple[Feature, ...]
    ) -> None:
        """A background task cannot stop without notice."""

        async def work() -> None:
            raise ValueError("planted-secret")

        app = create_app(settings(), features=features)
        with capture_logs() as logs:
            async with serve(app) as client, running(app.resources, "sweeper", work()) as task:
                await asyncio.wait([task])
                data = (await client.get("/healthcheck/ready")).json()["data"]
        assert data["degraded"] == ["tasks"]
        assert data["checks"]["tasks"]["detail"] == "ended, see the log: sweeper"
        [error] = [log for log in logs if log["log_level"] == "error"]
        assert (error["event"], error["task"]) == ("task ended", "sweeper")
        assert isinstance(error["exc_info"], ValueError)

    async def test_a_task_stops_with_the_service(self, features: tuple[Feature, ...]) -> None:
        """Then its end is not an error."""
        app = create_app(settings(), features=features)
        with capture_logs() as logs:
            async with serve(app), running(app.resources, "sweeper", asyncio.sleep(60)) as task:
                await asyncio.sleep(0)
        assert task.cancelled()
        assert [log for log in logs if log["log_level"] == "error"] == []
