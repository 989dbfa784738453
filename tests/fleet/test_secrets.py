"""Secrets in URLs are never shown or written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleet.redaction import mask, redact, secrets

from tests.support.git import commit_all

if TYPE_CHECKING:
    from tests.fleet.conftest import Workshop

PASSWORD = "s3cr3t-w0rd"  # noqa: S105 - planted, to be looked for


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"https://user:{PASSWORD}@example.com/a.git", "https://***@example.com/a.git"),
        (f"https://{PASSWORD}@example.com/a.git", "https://***@example.com/a.git"),
        (f"https://user:{PASSWORD}@me@example.com/a", "https://***@example.com/a"),
        (f"https://user:{PASSWORD}/x@example.com/a", "https://***@example.com/a"),
        (f"ssh://git:{PASSWORD}@example.com/a", "ssh://***@example.com/a"),
        (
            f"https://example.com/a?private_token={PASSWORD}&x=1",
            "https://example.com/a?private_token=***&x=1",
        ),
        ("ssh://git@example.com/a.git", "ssh://git@example.com/a.git"),
        ("git@example.com:a/b.git", "git@example.com:a/b.git"),
        ("https://example.com:8443/@scope/a.git", "https://example.com:8443/@scope/a.git"),
        ("write to team@example.com", "write to team@example.com"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, expected: str) -> None:
    """Only users with passwords, tokens and secret parameters are masked."""
    assert mask(url) == expected
    assert mask(f"fatal: '{url}' is away") == f"fatal: '{expected}' is away"


def test_a_known_secret_is_masked_wherever_it_appears() -> None:
    """A password is also masked outside its URL, encoded or not, in nested values."""
    known_secrets = secrets("https://user:s3cr3t%2Fw0rd@example.com/a.git")
    value = redact({"a": ["it said s3cr3t/w0rd", 1], "b": {"s3cr3t%2Fw0rd": None}}, known_secrets)
    assert value == {"a": ["it said ***", 1], "b": {"***": None}}


def test_output_and_reports_contain_no_password(evolved: Workshop) -> None:
    """Passwords from lists, recorded sources, answers and git's errors are masked."""
    orders = evolved.service("orders", "v1.0.0")
    text = f"_commit: v1.0.0\n_src_path: https://user:{PASSWORD}@localhost:1/template.git\n"
    text += f"name: see https://{PASSWORD}@localhost:1/\n"
    (orders / ".copier-answers.yml").write_text(text)
    commit_all(orders)
    service_list, page = evolved.root / "list", evolved.root / "page.html"
    service_list.write_text(f"services/orders\nhttps://user:{PASSWORD}@localhost:1/stock.git\n")
    outcome = evolved.ask("check", service_list, f"--html={page}")
    report = (evolved.root / "report.json").read_text()
    assert [service["reason"] != "" for service in outcome.services.values()] == [True, True]
    for text in (outcome.printed, outcome.complained, report, page.read_text()):
        assert PASSWORD not in text
    assert "https://***@localhost:1/stock.git" in report
    template = f"--template=https://user:{PASSWORD}@localhost:1/template.git"
    assert PASSWORD not in str(evolved.ask("check", service_list, template))
