"""Features add resources, middleware, problems and commands as the documentation shows."""

import re
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI, WebSocket
from sqlalchemy import text
from starlette.types import ASGIApp, Receive, Scope, Send

import orders
from orders.features import FEATURES
from orders.internal import lifespan
from orders.internal.commands import read_arguments
from orders.internal.database import (
    DatabaseSessionManager,
    DatabaseUrl,
    other_database,
    session_manager,
)
from orders.internal.database.other_database import settings_of
from orders.internal.database.settings import DatabaseSettings
from orders.internal.feature import Feature, FeatureError, Start, StartError
from orders.internal.http.openapi import Application
from orders.internal.http.problems import ProblemKind
from orders.internal.resources import (
    AmbiguousResourceError,
    DuplicateResourceError,
    MissingResourceError,
    Resource,
    Resources,
)
from orders.main import create_app, working
from orders.settings import Settings

from .helpers import serve, settings
from tests.harness import check_response

PAGES = Path("docs/template")


class Clock(ABC):
    """A source of the time."""

    @abstractmethod
    def now(self) -> str:
        """Return the time."""


class WallClock(Clock):
    """A clock that runs."""

    def now(self) -> str:
        """Return the time."""
        return "noon"


class StoppedClock(Clock):
    """A clock for tests."""

    def now(self) -> str:
        """Return the same time again."""
        return "midnight"


def opening(name: str, log: list[str], resource: object = None) -> Start:
    """Return a start function that records its events."""

    @asynccontextmanager
    async def start(_: Resources) -> AsyncIterator[object]:
        log.append(f"{name} opens")
        try:
            yield resource
        finally:
            log.append(f"{name} closes")

    return start


async def test_background_work_runs_within_all_resources() -> None:
    """It starts after every `start` and stops before the first of them closes; commands skip it."""
    log: list[str] = []
    features = [
        Feature(start=opening("one", log), background=opening("sweeper", log, WallClock())),
        Feature(start=opening("two", log)),
    ]
    async with serve(create_app(settings(), features=features)):
        assert log == ["one opens", "two opens", "sweeper opens"]
    assert log[3:] == ["sweeper closes", "two closes", "one closes"]
    log.clear()
    async with working(settings(), features=features) as resources:
        assert resources.find(Application) is None
        assert resources.find(WallClock) is None
    assert log == ["one opens", "two opens", "two closes", "one closes"]


async def test_a_failed_start_closes_and_forgets_what_was_opened() -> None:
    """Also if a second resource of one class is the failure."""
    log: list[str] = []
    app = create_app(
        settings(),
        features=[
            Feature(start=opening("one", log, WallClock())),
            Feature(start=opening("two", log, (StoppedClock(), WallClock()))),
        ],
    )
    with pytest.raises(DuplicateResourceError, match=r"test_features.*class OtherWallClock"):
        async with serve(app):
            pytest.fail("it must not serve")
    assert log == ["one opens", "two opens", "two closes", "one closes"]
    assert app.resources.find(WallClock) is None
    assert app.resources.find(StoppedClock) is None


def test_the_services_features_start_after_the_built_in_ones() -> None:
    """A new service does not have its own features."""
    assert FEATURES == ()
    app = create_app(settings())
    assert app.features == (*lifespan.FEATURES, *FEATURES)


class TestResources:
    """Resources are found by their class, or by the only class derived from it."""

    def test_a_base_class_finds_the_class_derived_from_it(self) -> None:
        """Each feature finds the service's settings by its own settings class."""
        own_settings = settings()
        resources = Resources(own_settings, WallClock())
        assert resources.get(Settings) is resources.get(DatabaseSettings) is own_settings
        assert resources.get(Clock).now() == "noon"

    def test_two_resources_of_a_base_class_are_ambiguous(self) -> None:
        """The error lists both."""
        resources = Resources(WallClock(), StoppedClock())
        with pytest.raises(AmbiguousResourceError, match="StoppedClock, WallClock"):
            resources.get(Clock)

    def test_a_missing_resource_is_reported_with_the_existing_ones(self) -> None:
        """The message says how to add it."""
        with pytest.raises(MissingResourceError, match=r"no resource is a Clock.*now: Settings"):
            Resources(settings()).get(Clock)

    async def test_a_test_can_replace_a_resource_before_or_after_the_start(self) -> None:
        """Endpoints find the replacement, whatever the features open."""
        app = create_app(settings(), features=[Feature(start=opening("one", [], WallClock()))])

        @app.get("/now")
        async def now(clock: Resource[Clock]) -> str:
            return clock.now()

        async with serve(app) as client:
            assert (await client.get("/now")).json() == "noon"
            app.resources.replace(Clock, StoppedClock())
            assert (await client.get("/now")).json() == "midnight"

    def test_a_replacement_is_found_by_a_base_class(self) -> None:
        """A base class of both finds the replacement, not the original beside it."""

        class WinterClock(WallClock):
            pass

        resources = Resources(WinterClock())
        stopped: Any = StoppedClock()  # a double, which is not derived from the class
        resources.replace(WallClock, stopped)
        assert resources.get(Clock) is stopped
        assert resources.get(WallClock) is stopped
        assert isinstance(resources.get(WinterClock), WinterClock)

    async def test_a_mounted_application_finds_resources(self) -> None:
        """FastAPI replaces the service's application by the mounted one in each request."""
        mounted, app = FastAPI(), create_app(settings(), features=[])
        app.resources.add(WallClock())
        app.mount("/mounted", mounted)

        @mounted.get("/now")
        async def now(clock: Resource[Clock]) -> str:
            return clock.now()

        async with serve(app) as client:
            response = await client.get("/mounted/now")
        assert (response.status_code, response.json()) == (200, "noon")
        assert response.headers["X-Request-ID"]

    async def test_a_websocket_finds_resources(self) -> None:
        """In the same way as an endpoint."""
        app = create_app(settings(), features=[])
        app.resources.add(WallClock())

        @app.websocket("/now")
        async def now(websocket: WebSocket, clock: Resource[Clock]) -> None:
            await websocket.accept()
            await websocket.send_text(clock.now())

        sent: list[Any] = []

        async def receive() -> dict[str, str]:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:  # noqa: ANN401 - as ASGI's
            sent.append(message)

        scope = {"type": "websocket", "path": "/now", "query_string": b"", "headers": []}
        await app(scope, receive, send)
        assert sent[1]["text"] == "noon"


class TestMistakes:
    """Invalid features are refused when the application is made, with what to do."""

    def test_names_of_probes_and_commands_are_unique(self) -> None:
        """Also among those of the built-in features."""

        async def work(_: Resources) -> None: ...

        async def answers(_: Resources) -> str:
            return "answers"

        for kind, feature in {
            "probe named 'database'": Feature(reported_probes={"database": answers}),
            "command named 'tidy'": Feature(commands={"tidy": work}),
        }.items():
            features = (*lifespan.FEATURES, Feature(commands={"tidy": work}), feature)
            with pytest.raises(FeatureError, match=kind):
                create_app(settings(), features=features)

    def test_a_problem_needs_an_error_status(self) -> None:
        """An error cannot have a success status."""
        with pytest.raises(FeatureError, match="LookupError: 200 is not the status of an error"):
            Feature(problems={LookupError: ProblemKind(HTTPStatus.OK)})

    @pytest.mark.parametrize("name", ["serve", "Tidy", "-x", ""])
    def test_a_command_needs_a_name_that_can_be_typed(self, name: str) -> None:
        """`serve` is taken."""

        async def work(_: Resources) -> None: ...

        with pytest.raises(FeatureError, match="cannot be the name of a command"):
            Feature(commands={name: work})

    def test_a_start_is_a_context_manager(self) -> None:
        """The error says that a generator needs the decorator."""

        async def start(_: Resources) -> AsyncIterator[None]:
            yield

        with pytest.raises(FeatureError, match=r"start: put @asynccontextmanager above it"):
            Feature(start=start)  # type: ignore[arg-type]  # the mistake


async def test_middleware_runs_at_its_declared_place() -> None:
    """Outermost, or inside the request log, each in the order of the features."""
    log: list[str] = []

    def noting(name: str) -> type:
        class Noting:
            def __init__(self, app: ASGIApp) -> None:
                self.app = app

            async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
                if scope["type"] == "http":
                    log.append(f"{name} {'request_id' in scope.get('state', {})}")
                await self.app(scope, receive, send)

        return Noting

    features = [
        Feature(middleware=(noting("one"), noting("two")), outer_middleware=(noting("outer"),)),
        Feature(middleware=(noting("three"),)),
    ]
    async with serve(create_app(settings(), features=features)) as client:
        await client.get("/")
    assert log == ["outer False", "one True", "two True", "three True"]


def documented(page: str, module: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a module of the package with a Python block of a page."""
    blocks = re.findall(r"```python\n(.*?)```", (PAGES / page).read_text(), re.DOTALL)
    [code] = [block for block in blocks if "FEATURE = Feature(" in block]
    page_module = ModuleType(f"orders.{module}")
    page_module.__package__ = "orders"
    monkeypatch.setitem(sys.modules, page_module.__name__, page_module)
    monkeypatch.setattr(orders, module, page_module, raising=False)
    exec(compile(code, page, "exec"), page_module.__dict__)  # noqa: S102 - our own page
    return page_module


async def test_the_documented_feature_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its resource, probe, 410, middleware and command work, and a test can replace it."""
    rates = documented("features.md", "rates", monkeypatch)
    feature: Feature = rates.FEATURE

    class FixedRates(rates.ExchangeRates):  # type: ignore[name-defined, misc]  # made by exec
        def __init__(self) -> None: ...

        async def rate(self, currency: str) -> float:
            if currency == "DEM":
                raise rates.RateWithdrawnError("DEM is not traded any more.")
            return 1.2345

        async def answers(self) -> bool:
            return False

    app = create_app(settings(), features=(*lifespan.FEATURES, feature))

    @app.get("/{currency}")
    async def rate(currency: str, rates: Resource[rates.ExchangeRates]) -> float:  # type: ignore[name-defined]
        found: float = await rates.rate(currency)
        return found

    app.resources.replace(rates.ExchangeRates, FixedRates())
    async with serve(app) as client:
        assert (await client.get("/CHF")).json() == 1.2345
        problem = check_response(await client.get("/DEM"), 410)
        assert problem["detail"] == "DEM is not traded any more."
        errors = check_response(await client.get("/healthcheck/ready"), 503)["errors"]
        assert "the rates service refuses requests" in [error["message"] for error in errors]
        command = read_arguments(
            "print-rate", feature.commands["print-rate"], ["CHF", "--digits=3"]
        )
        capsys.readouterr()
        await command(app.resources)
    assert capsys.readouterr().out.startswith("1.234\n")


class ReportsDatabase(DatabaseSessionManager):
    """The database of the reports."""


class BothSettings(Settings):
    """Settings of two databases."""

    reports_url: DatabaseUrl
    reports_pool_size: int = 3


REPORTS = other_database(ReportsDatabase, "reports")


def both(first: str, second: str) -> BothSettings:
    """Return settings with the URLs of two databases."""
    return BothSettings(**settings(database_url=first).model_dump(), reports_url=second)


async def test_another_database_has_its_own_sessions_and_probe(
    migrated_postgres: str, postgres: str
) -> None:
    """Each session uses the database of its class, and readiness includes the second probe."""
    own = both(migrated_postgres, postgres)
    app = create_app(own, features=(*lifespan.FEATURES, REPORTS))
    async with serve(app) as client:
        names = []
        for class_ in (DatabaseSessionManager, ReportsDatabase):
            async with app.resources.get(class_).session() as session:
                names.append(await session.scalar(text("SELECT current_database()")))
        assert names == [migrated_postgres.rpartition("/")[2], postgres.rpartition("/")[2]]
        checks = (await client.get("/healthcheck/ready")).json()["data"]["checks"]
        assert checks["reports"]["required"] is True
        assert checks["reports-writes"]["required"] is False
        await app.resources.get(ReportsDatabase).close()
        check_response(await client.get("/healthcheck/ready"), 503)


def test_another_database_shares_limits_with_the_first(postgres: str) -> None:
    """Only its URL, and settings that start with its name, differ."""
    own = both("postgresql://first/first", postgres)
    limits = own.model_copy(update={"database_lock_timeout": 7})
    found = settings_of(limits, "reports")
    assert found.database_url == postgres
    assert (found.database_pool_size, found.database_lock_timeout) == (3, 7)
    with pytest.raises(FeatureError, match="Declare the setting `archive_url: DatabaseUrl`"):
        settings_of(own, "archive")


async def test_an_unusable_url_of_another_database_is_reported(
    migrated_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message contains the setting of that database."""

    async def refuse(*_: object) -> None:
        raise asyncpg.InvalidPasswordError("no such role")

    monkeypatch.setattr(session_manager, "refuse_shared_sessions", refuse)
    start = REPORTS.start
    assert start
    resources = Resources(both(migrated_postgres, migrated_postgres))
    with pytest.raises(StartError, match="REPORTS_URL cannot be used: no such role"):
        async with start(resources):
            pass


async def test_code_of_earlier_services_finds_settings_and_database(migrated_postgres: str) -> None:
    """`app.state.settings` and `app.state.database` were documented until v1.3.0."""
    app = create_app(settings(database_url=migrated_postgres))
    async with serve(app):
        assert app.state.settings is app.resources.get(Settings)
        assert app.state.database is app.resources.get(DatabaseSessionManager)
