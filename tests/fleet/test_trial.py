"""With `--test`, a service's own tests run after the update."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.git import commit_all

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.conftest import Workshop

PROJECT = """
    [project]
    name = "service"
    version = "0"
    requires-python = ">=3.11"
    dependencies = ["pytest", "pytest-xdist"]
    """


def write_test(service: Path, body: str) -> None:
    """Add a test to a service, and commit it."""
    (service / "test_service.py").write_text(f"def test_service():\n    {body}\n")
    commit_all(service)


def test_tests_run_on_the_updated_service(workshop: Workshop) -> None:
    """Tests that pass only with the update's files pass. Failing or hanging tests are status 1.

    After a conflict, no tests run.
    """
    workshop.release("v1.1.0", **{"pyproject.toml": PROJECT})
    for name in ("good", "bad", "slow", "stuck"):
        workshop.service(name, "v1.1.0")
    workshop.release("v1.2.0", Makefile="run:\n\tserve --fast\n\ntest:\n\tpytest\n")
    write_test(workshop.services / "good", "assert '--fast' in open('Makefile').read()")
    write_test(workshop.services / "bad", "assert '--fast' not in open('Makefile').read()")
    write_test(workshop.services / "slow", "import time; time.sleep(600)")
    (workshop.services / "stuck/Makefile").write_text("run:\n\tours\n")
    write_test(workshop.services / "stuck", "pass")
    outcome = workshop.ask("check", workshop.services, "--test", "--test-timeout=30", "--jobs=4")
    assert outcome.status == 1
    tests = {name: service["tests"] for name, service in outcome.services.items()}
    assert {name: service["state"] for name, service in outcome.services.items()} == {
        "stuck": "conflict",
        "bad": "failing",
        "slow": "failing",
        "good": "behind",
    }
    assert tests["stuck"] is None
    assert tests["good"]["outcome"] == "passed"
    assert "1 passed" in tests["good"]["summary"]
    assert tests["bad"]["outcome"] == "failed"
    assert "--fast" in tests["bad"]["output"]
    assert tests["slow"]["outcome"] == "unfinished"
