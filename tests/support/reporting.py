"""Figures that tests keep for the end of the session, whichever worker runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

FIGURES = "figures"
"""What `record_property` calls them."""


def kept(terminalreporter: pytest.TerminalReporter) -> Iterator[tuple[str, object]]:
    """Give the name of each test that kept figures, and these, also when it failed."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "call":
                for name, value in report.user_properties:
                    if name == FIGURES:
                        yield report.location[2], value
