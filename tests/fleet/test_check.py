"""The check reports how far behind each service is, and what an update would change."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.support.git import commit_all
from tests.support.rendering import render

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.conftest import Workshop

OLD = "## Remove caches"
UP_TO_DATE, ATTENTION, BEHIND = 0, 1, 2


def edit(service: Path, text: str) -> None:
    """Change the template's file in a service, and commit that."""
    (service / "Makefile").write_text(text)
    commit_all(service)


def test_a_service_at_the_newest_release_needs_nothing(evolved: Workshop) -> None:
    """An up-to-date service is status 0, and the report contains its answers."""
    evolved.service("orders", "v1.2.0", kafka=True)
    outcome = evolved.ask("check", evolved.services)
    assert outcome.status == UP_TO_DATE
    service = outcome.services["orders"]
    assert (service["state"], service["release"], service["behind"]) == ("current", "v1.2.0", [])
    assert service["answers"] == {"name": "orders", "postgres": True, "kafka": True}


def test_missing_releases_are_listed(evolved: Workshop) -> None:
    """A service behind is status 2, and the report lists the releases and changed files."""
    evolved.service("orders", "v1.0.0")
    evolved.service("stock", "v1.1.0")
    outcome = evolved.ask("check", evolved.services)
    assert outcome.status == BEHIND
    assert outcome.services["orders"]["behind"] == ["v1.1.0", "v1.2.0"]
    assert outcome.services["stock"]["behind"] == ["v1.2.0"]
    assert outcome.services["stock"]["changed_files"] == [".copier-answers.yml", "Makefile"]
    assert outcome.services["stock"]["conflicts"] == []


def test_the_update_may_end_at_an_earlier_release(evolved: Workshop) -> None:
    """With `--to`, later releases do not count, and a newer service is ahead."""
    evolved.service("orders", "v1.0.0")
    evolved.service("stock", "v1.2.0")
    outcome = evolved.ask("check", evolved.services, "--to=v1.1.0")
    assert outcome.status == BEHIND
    assert outcome.services["orders"]["behind"] == ["v1.1.0"]
    assert outcome.services["stock"]["state"] == "ahead"


def test_a_conflict_is_predicted_with_its_file(evolved: Workshop) -> None:
    """A line that both sides changed is a conflict, and the status is 1."""
    edit(evolved.service("orders", "v1.0.0"), "run:\n\tours\n\ntest:\n\tpytest\n")
    edit(evolved.service("stock", "v1.0.0"), "run:\n\tserve\n\ntest:\n\tpytest -x\n")
    outcome = evolved.ask("check", evolved.services)
    assert outcome.status == ATTENTION
    assert outcome.services["orders"]["state"] == "conflict"
    assert outcome.services["orders"]["conflicts"] == ["Makefile"]
    assert "conflicts in Makefile" in outcome.printed
    assert outcome.services["stock"]["state"] == "behind"


def test_answers_that_an_update_changes_are_shown(evolved: Workshop) -> None:
    """The report contains the old and new answers of added and removed questions."""
    evolved.service("orders", "v1.2.0", kafka=True)
    path = evolved.template / "copier.yml"
    path.write_text(path.read_text().replace("kafka: {type: bool", "events: {type: bool"))
    evolved.release("v2.0.0")
    service = evolved.ask("check", evolved.services).services["orders"]
    assert service["changed_answers"] == {"events": [None, False], "kafka": [True, None]}


def test_work_between_releases_counts_as_newer(evolved: Workshop) -> None:
    """A service made from a commit after the newest release is ahead, and the status is 0."""
    evolved.release("not-a-version", Makefile="run:\n\tserve --next\n")
    evolved.service("orders", "not-a-version")
    outcome = evolved.ask("check", evolved.services)
    assert (outcome.status, outcome.services["orders"]["state"]) == (UP_TO_DATE, "ahead")


def test_a_failed_update_is_reported_with_its_reason(evolved: Workshop) -> None:
    """If an update fails, the report has the reason and the service's release."""
    evolved.service("orders", "v1.0.0")
    evolved.release("v1.3.0", **{"broken.txt.jinja": "{{ nowhere.to.be.found }}"})
    outcome = evolved.ask("check", evolved.services)
    service = outcome.services["orders"]
    assert (outcome.status, service["state"], service["release"]) == (
        ATTENTION,
        "unknown",
        "v1.0.0",
    )
    assert "nowhere" in str(service["reason"])


def test_the_check_works_with_this_template(
    template: Path, tmp_path: Path, workshop: Workshop
) -> None:
    """The check works with this template, with and without conflicts."""
    releases = shutil.copytree(template, tmp_path / "releases")
    commit_all(releases, tag="v1.0.0")
    for name in ("orders", "stock"):
        commit_all(render(releases, workshop.services / name, postgres=False))
    orders = workshop.services / "orders/Makefile"
    edit(orders.parent, orders.read_text().replace(OLD, "## Ours"))
    makefile = releases / "template/Makefile.jinja"
    makefile.write_text(makefile.read_text().replace(OLD, "## Remove what tools leave behind"))
    commit_all(releases, tag="v1.1.0")
    outcome = workshop.ask("check", workshop.services)
    assert outcome.services["orders"]["conflicts"] == ["Makefile"]
    assert outcome.services["stock"]["state"] == "behind"
    assert outcome.services["stock"]["changed_files"] == [".copier-answers.yml", "Makefile"]
    assert outcome.services["stock"]["changed_answers"] == {}
