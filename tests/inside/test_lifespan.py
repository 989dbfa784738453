"""Features start in order, stop in reverse, and clean up after one that cannot start."""

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
    """Return a start that writes down what happens to it."""

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
    """What started last may lean on what started before, until its end."""
    log: list[str] = []
    features = tuple(Feature(start=recording(name, log)) for name in ("one", "two"))
    async with serve(create_app(settings(), features=features)):
        log.append("serves")
    assert log == ["one starts", "two starts", "serves", "two stops", "one stops"]


async def test_a_start_that_fails_stops_what_started() -> None:
    """The error is the first feature's to fail, and nothing stays open."""
    log: list[str] = []
    features = (
        Feature(start=recording("one", log)),
        Feature(start=recording("two", log, fails=True)),
    )
    with pytest.raises(RuntimeError, match="two cannot start"):
        async with serve(create_app(settings(), features=features)):
            pytest.fail("it must not serve")
    assert log == ["one starts", "one stops"]


async def test_probes_run_at_once_and_each_within_its_time() -> None:
    """One that hangs and one that raises do not keep the third from being heard."""

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


class TestReportedProbes:
    """What the service can do without for a while does not make it unready."""

    @pytest.fixture(name="broken")
    def _broken(self) -> list[str]:
        """Return names of probes, which fail while they are in this list."""
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

    async def test_the_answer_names_what_is_degraded(
        self, broken: list[str], features: tuple[Feature, ...]
    ) -> None:
        """The service stays ready, so that an outage does not take out every replica at once."""
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
        """The problem names all that failed, the required ones first."""
        broken += ["near", "far"]
        async with serve(create_app(settings(), features=features)) as client:
            problem = check_response(await client.get("/healthcheck/ready"), 503)
        assert problem["detail"] == "Not ready: near."
        failed = [(error["location"], error["type"]) for error in problem["errors"]]
        assert failed == [("near", "probe"), ("far", "degraded")]

    async def test_a_setting_requires_a_probe(
        self, broken: list[str], features: tuple[Feature, ...]
    ) -> None:
        """For a service that cannot do without it."""
        broken.append("far")
        async with serve(
            create_app(settings(healthcheck_required="far"), features=features)
        ) as client:
            problem = check_response(await client.get("/healthcheck/ready"), 503)
        assert problem["detail"] == "Not ready: far."

    async def test_an_unknown_probe_cannot_be_required(self, features: tuple[Feature, ...]) -> None:
        """The line names the variable, and the probes to choose from."""
        with pytest.raises(StartError, match=r"^ORDERS_HEALTHCHECK_REQUIRED: .*near, far, tasks"):
            async with serve(create_app(settings(healthcheck_required="fra"), features=features)):
                pytest.fail("it must not serve")

    async def test_each_change_is_logged_once(
        self, broken: list[str], features: tuple[Feature, ...]
    ) -> None:
        """However often the platform polls."""
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
        """A feature cannot stop to work in silence."""

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
        """Its end is expected then."""
        app = create_app(settings(), features=features)
        with capture_logs() as logs:
            async with serve(app), running(app.resources, "sweeper", asyncio.sleep(60)) as task:
                await asyncio.sleep(0)
        assert task.cancelled()
        assert [log for log in logs if log["log_level"] == "error"] == []
