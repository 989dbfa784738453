"""An update converts recorded answers to the questions of the new release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import copier
import pytest

from migrations.answers import convert_answers, converted, renamed
from tests.support.history import releases as released
from tests.support.services import Service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.releases import Repository

OLD_EMAIL = """author_email:
  type: str
  help: At which e-mail address?
  default: "team@example.com"
  validator: "{{ author_email | problem('author_email') }}"
"""
NEW_EMAIL = """contacts:
  type: yaml
  help: At which e-mail addresses?
  default: ["team@example.com"]
  validator: "{{ 'type a list' if contacts is string }}"
"""
STRICT = '''validator: "{{ 'type it in lower case' if description != description | lower }}"'''
LAX = '''validator: "{{ description | problem('description') }}"'''
ENTRY = 'if __name__ == "__main__":'
ADDED = f"""
def lower(answer: object) -> object:
    return str(answer).lower()


def listed(answer: object) -> object:
    return answer if isinstance(answer, list) else [answer]


CONVERSIONS = [
    *CONVERSIONS,
    converted("description", lower),
    renamed("author_email", "contacts"),
    converted("contacts", listed),
]

{ENTRY}"""


@pytest.fixture(name="orders")
def _orders(releases: Repository, tmp_path: Path) -> Service:
    """A service whose recorded answers do not fit the next release."""
    return Service.copy(
        releases,
        tmp_path / "orders",
        "v1.0.0",
        description="Keeps ORDERS",
        author_email="orders@example.com",
    )


def next_release(releases: Repository) -> None:
    """Release stricter rules for one question, and a new name and format for another."""
    releases.replace("copier.yml", LAX, STRICT)
    releases.replace("copier.yml", OLD_EMAIL, NEW_EMAIL)
    email = "{{ author_email | to_json(ensure_ascii=False) }}"
    releases.replace("template/pyproject.toml.jinja", email, "{{ contacts[0] | to_json }}")
    releases.release("v1.1.0", {"migrations/answers.py": (ENTRY, ADDED)})


@pytest.mark.parametrize("skip_answered", [True, False])
def test_an_answer_that_no_longer_fits_is_converted(
    orders: Service,
    releases: Repository,
    skip_answered: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    """Answers keep their meaning after a new validator, a new name and a new format."""
    next_release(releases)
    copier.run_update(
        orders.folder,
        defaults=not skip_answered,
        skip_answered=skip_answered,
        overwrite=True,
        unsafe=True,
        quiet=True,
    )
    answers = orders.answers
    assert answers["description"] == "keeps orders"
    assert answers["contacts"] == ["orders@example.com"]
    assert "author_email" not in answers
    assert orders.conflicts == []
    assert 'email = "orders@example.com"' in orders.read("pyproject.toml")


def test_a_conversion_can_be_repeated() -> None:
    """Converting an answer again changes nothing, and the given answers are not modified."""
    recorded: dict[str, object] = {"old": "a", "other": 1}
    conversions = renamed("old", "new"), converted("new", lambda answer: [answer][:1])
    answers = dict(recorded)
    conversions[0](answers)
    conversions[0](answers)
    assert answers == {"new": "a", "other": 1}
    conversions[1](answers)
    assert answers == {"new": ["a"], "other": 1}
    assert convert_answers(recorded) == recorded


def test_a_given_answer_wins_over_the_one_under_the_old_name() -> None:
    """An answer under the new name is kept."""
    answers: dict[str, object] = {"old": "a", "new": "b"}
    renamed("old", "new")(answers)
    assert answers == {"new": "b"}


@pytest.mark.parametrize("release", released())
def test_the_conversions_can_be_repeated(history: Repository, tmp_path: Path, release: str) -> None:
    """Converting the answers of a release again changes nothing."""
    answers = Service.copy(history, tmp_path / "orders", release).answers
    once = convert_answers(answers)
    assert convert_answers(once) == once


def test_an_answer_to_a_removed_question_is_dropped(orders: Service, releases: Repository) -> None:
    """An update across the release that removes a question succeeds and drops the answer.

    The later release refuses the answer, and copier would pass the recorded one.
    """
    question = "\nteam:\n  type: str\n  help: Which team?\n  default: none\n"
    before = "# Never asked, as `given`"
    releases.release("v1.1.0", {"copier.yml": (before, f"{question}\n{before}")})
    orders.update()
    orders.commit()
    assert orders.answers["team"] == "none"
    refused = '"created_with": _created_with_problem,'
    releases.replace("extensions/answers.py", refused, f'{refused}\n    "team": _computed_problem,')
    releases.release("v1.2.0", {"copier.yml": ("  help: Which team?\n", "  when: false\n")})
    releases.replace("copier.yml", question.replace("help: Which team?", "when: false"), "")
    releases.release("v1.3.0")
    orders.update()
    assert (orders.conflicts, orders.answers["_commit"]) == ([], "v1.3.0")
    assert "team" not in orders.answers
