"""A second database takes the ten lines that its page shows."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.processes import make
from tests.support.rendering import render
from tests.support.second_database import add_second_database


def test_a_documented_second_database_is_linted_and_tested(template: Path) -> None:
    """`make lint test` is green with its settings, its probes, and a migrated clone in tests."""
    with TemporaryDirectory(prefix="reports-") as folder:
        service = render(template, Path(folder) / "orders", kafka=True)
        add_second_database(service)
        make(service, "install")
        make(service, "lint")
        assert " passed" in make(service, "test")
