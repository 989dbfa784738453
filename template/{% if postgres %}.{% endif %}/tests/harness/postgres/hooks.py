"""pytest hooks: an option to keep databases, and shorter reports of repeated failures."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness.postgres.failures import HarnessError, claim

if TYPE_CHECKING:  # unit tests alone import no database code
    from collections.abc import Generator

    from tests.harness.postgres.databases import Database, Databases

KEEP_OPTION = "--keep-database"
KEPT = "kept database"

DATABASES: pytest.StashKey[Databases] = pytest.StashKey()
LENT: pytest.StashKey[list[Database]] = pytest.StashKey()
FAILED: pytest.StashKey[bool] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that keeps databases."""
    parser.getgroup("databases").addoption(
        KEEP_OPTION, action="store_true", help="keep the databases of failed tests, say where"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shorten repeated failures, and report the database of a failed test."""
    report = yield
    if not report.failed:
        return report
    item.stash[FAILED] = True
    databases = item.config.stash.get(DATABASES, None)
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, HarnessError):
        is_first = databases is None or claim(databases.folder, error)
        report.longrepr = str(error) if is_first else error.short
    elif databases and call.when != "teardown" and item.config.getoption(KEEP_OPTION):
        for database in item.stash.get(LENT, []):
            report.user_properties.append((KEPT, databases.kept(database)))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:  # noqa: ANN401 - not pytest's public API
    """List the kept databases."""
    reports = [*terminalreporter.getreports("failed"), *terminalreporter.getreports("error")]
    kept = [
        (report.nodeid, where)
        for report in reports
        for name, where in getattr(report, "user_properties", [])
        if name == KEPT
    ]
    if kept:
        terminalreporter.section("kept databases")
        for test, where in kept:
            terminalreporter.line(f"{test}\n  {where}")


def run_id(config: pytest.Config) -> str:
    """Return the id that all processes of this run share."""
    worker: dict[str, str] = getattr(config, "workerinput", {})
    return worker.get("testrunuid") or uuid.uuid4().hex


def should_keep(item: pytest.Item) -> bool:
    """Return whether to keep the test's database."""
    return bool(item.config.getoption(KEEP_OPTION)) and item.stash.get(FAILED, False)
