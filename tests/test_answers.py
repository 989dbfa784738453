"""Answers are recorded as given, and any valid text renders to valid files."""

from __future__ import annotations

import shutil
import tomllib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import copier
import pytest
import time_machine
import yaml

from extensions.answers import PYTHON_VERSIONS
from tests.support.git import commit_all
from tests.support.rendering import recorded, render

if TYPE_CHECKING:
    from pathlib import Path

TODAY = datetime(2026, 1, 31, 12, tzinfo=UTC)
ODD = '"It\'s" {{ 50% }} \\ {% raw %} #hash: [é] 🚀 <b> $HOME `x` ${{ y }} & co'


@pytest.mark.parametrize("text", [ODD, ODD * 7, "x" * 500, "'", '"', "\\", "- no", "null", "{# x"])
def test_unusual_texts_are_recorded_unchanged(template: Path, tmp_path: Path, text: str) -> None:
    """Quotes, accents, emoji and long texts reach the answers file and pyproject.toml unchanged."""
    names = {"project_name": text[:60].strip(), "author_name": "Ö'Né {{", "description": text}
    service = render(template, tmp_path / "service", **names, author_email="o'{x}+%@example.com")
    project = tomllib.loads((service / "pyproject.toml").read_text())["project"]
    assert project["description"] == text
    assert project["authors"] == [{"name": "Ö'Né {{", "email": "o'{x}+%@example.com"}]
    assert names.items() <= recorded(service).items()


def test_computed_answers_are_not_recorded(template: Path, tmp_path: Path) -> None:
    """Values that follow from the answers are computed again in every render."""
    answers = recorded(render(template, tmp_path / "service"))
    assert answers.keys().isdisjoint(
        {"given", "named", "outbox", "in_memory", "features", "left_over", "env_prefix", "images"}
    )


def test_the_offered_python_versions_are_the_accepted_ones(template: Path) -> None:
    """The question's choices agree with the check of answers given on the command line."""
    questions = yaml.safe_load((template / "copier.yml").read_text())
    assert tuple(questions["python_version"]["choices"]) == PYTHON_VERSIONS


def test_a_service_is_named_after_its_folder(template: Path, tmp_path: Path) -> None:
    """With defaults alone, `../order-history` becomes the service Order History."""
    answers = recorded(render(template, tmp_path / "order-history"))
    names = [answers[name] for name in ("project_name", "project_slug", "package_name")]
    assert names == ["Order History", "order-history", "order_history"]


def test_values_of_the_first_copy_are_kept(template: Path, tmp_path: Path) -> None:
    """An update a year later that adds a feature keeps the first date and the first features."""
    repository = shutil.copytree(template, tmp_path / "template")
    commit_all(repository, tag="v1.0.0")
    with time_machine.travel(TODAY):
        service = render(repository, tmp_path / "service", kafka=False)
    answers = recorded(service)
    assert answers["generated_on"] == "2026-01-31"
    commit_all(service)
    (repository / "template/new.txt").write_text("new\n")
    commit_all(repository, tag="v2.0.0")
    with time_machine.travel(TODAY + timedelta(days=365)):
        copier.run_update(
            service, data={"kafka": True}, defaults=True, overwrite=True, unsafe=True, quiet=True
        )
    assert (service / "new.txt").exists()
    assert recorded(service) == answers | {"kafka": True, "_commit": "v2.0.0"}
