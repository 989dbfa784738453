"""The report as one HTML page without scripts or other files."""

from __future__ import annotations

from importlib import resources

from jinja2 import Environment, StrictUndefined

from .report import Report, State
from .table import features, notes, summary

MEANINGS = {
    State.UNKNOWN: "could not be checked",
    State.CONFLICT: "an update would conflict",
    State.FAILING: "tests fail",
    State.BEHIND: "behind, updates cleanly",
    State.AHEAD: "newer than the release",
    State.CURRENT: "up to date",
}


def page(report: Report) -> str:
    """Render a report as HTML, with the most urgent services first."""
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.globals |= {"features": features, "notes": notes, "meanings": MEANINGS}
    source = (resources.files(__package__) / "page.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(source).render(report=report, summary=summary(report))
