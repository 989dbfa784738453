"""Figures that tests report at the end of the session, from any worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

FIGURES = "figures"
"""The name of the figures in `record_property`."""


def kept(terminalreporter: pytest.TerminalReporter) -> Iterator[tuple[str, object]]:
    """Yield the name and the figures of each test that reported figures, also of failed tests."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "call":
                for name, value in report.user_properties:
                    if name == FIGURES:
                        yield report.location[2], value
