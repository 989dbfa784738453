"""The JSON report has a fixed format, and the HTML page needs no other files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from fleet.page import page
from fleet.report import Report, ReportError, Service, State, Trial, merge

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"


class Reader(HTMLParser):
    """Collects the tags, attributes and row headings of a page."""

    def __init__(self, text: str) -> None:
        """Read a page."""
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.names: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record a tag. Elements without content are closed at once."""
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that the last opened tag is closed."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Record the names of services."""
        if self.open[-2:] == ["tr", "th"] and "tbody" in self.open and data.strip():
            self.names.append(data.strip())


def service(name: str, state: State, **fields: object) -> Service:
    """Create the results for a service."""
    return Service.model_validate({"name": name, "place": f"/srv/{name}", "state": state, **fields})


def test_services_that_need_attention_come_first() -> None:
    """Services are sorted by state, then by the number of releases behind."""
    services = [
        service("f", State.CURRENT),
        service("e", State.AHEAD),
        service("c", State.BEHIND, behind=["v1.1.0"]),
        service("d", State.BEHIND, behind=["v1.1.0", "v1.2.0"]),
        service("b", State.CONFLICT),
        service("a", State.UNKNOWN),
        service("g", State.FAILING),
    ]
    report = Report.of(services)
    assert [item.name for item in report.services] == list("abgdcef")
    assert Reader(page(report)).names == list("abgdcef")


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ([State.CURRENT, State.AHEAD], 0),
        ([State.CURRENT, State.BEHIND], 2),
        ([State.BEHIND, State.CONFLICT], 1),
        ([State.BEHIND, State.FAILING], 1),
        ([State.BEHIND, State.UNKNOWN], 1),
        ([], 0),
    ],
)
def test_the_exit_status_is_that_of_the_worst_service(states: list[State], status: int) -> None:
    """The status is 0 if all are current, 2 if some are behind, and 1 after failures."""
    assert Report.of([service(str(state), state) for state in states]).status == status


def test_the_page_needs_no_other_files() -> None:
    """The page has no external files or scripts, and has a language and table headings."""
    trial = Trial(outcome="failed", summary="1 failed", output="boom")
    read = Reader(page(Report.of([service("a", State.FAILING, answers={"x": True}, tests=trial)])))
    assert read.open == []
    assert {"script", "link", "img", "iframe"} & set(read.tags) == set()
    assert {name for name, _ in read.attributes} & {"src", "href", "onclick", "style"} == set()
    assert {("lang", "en"), ("scope", "col"), ("scope", "row")} <= set(read.attributes)
    assert {"title", "caption", "main", "h1"} <= set(read.tags)


def test_the_page_escapes_text_from_services() -> None:
    """Names, answers, reasons and test output are escaped."""
    trial = Trial(outcome="failed", summary=HOSTILE, output=HOSTILE)
    hostile = service(
        HOSTILE,
        State.FAILING,
        reason=HOSTILE,
        release=HOSTILE,
        target=HOSTILE,
        source=HOSTILE,
        behind=[HOSTILE],
        answers={HOSTILE: HOSTILE, "y": [HOSTILE]},
        changed_answers={HOSTILE: [None, HOSTILE]},
        conflicts=[HOSTILE],
        changed_files=[HOSTILE],
        tests=trial,
    )
    text = page(Report.of([hostile]))
    assert HOSTILE not in text
    assert Reader(text).open == []


def test_reports_can_be_read_and_merged(tmp_path: Path) -> None:
    """Reports merge into one. It is complete if all are, and the newest result counts."""
    early = Report(made=NOW, services=[service("a", State.BEHIND), service("b", State.CURRENT)])
    later = Report(made=NOW + timedelta(hours=1), services=[service("a", State.CURRENT)])
    incomplete = later.model_copy(update={"complete": False})
    for number, report in enumerate((early, later, incomplete)):
        report.write(tmp_path / f"{number}.json")
        assert Report.read(tmp_path / f"{number}.json") == report
    merged = merge([later, early])
    assert [(item.name, item.state) for item in merged.services] == [
        ("a", "current"),
        ("b", "current"),
    ]
    assert (merged.made, merged.complete) == (later.made, True)
    assert merge([early, incomplete]).status == 130


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": 2, "services": []}', '{"services": [{"name": "a"}]}', "\xff"]
)
def test_an_invalid_report_is_refused(tmp_path: Path, text: str) -> None:
    """A report with another format or a missing part is an error that names the file."""
    path = tmp_path / "report.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ReportError, match=r"report\.json is not a report of format 1"):
        Report.read(path)
    with pytest.raises(ReportError, match="cannot be read"):
        Report.read(tmp_path / "none.json")
