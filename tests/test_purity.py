"""Rendering depends on nothing but the recorded answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import time_machine
from jinja2 import Environment

from extensions.memory import MemoryExtension
from tests.support.combinations import COMBINATIONS
from tests.support.files import files, replace
from tests.support.rendering import recorded, render

if TYPE_CHECKING:
    import pytest

SCRIPT = """
import json, sys
from pathlib import Path
from tests.support.rendering import render
template, destination, answers = sys.argv[1:]
render(Path(template), Path(destination), **json.loads(answers))
"""


def contents(service: Path) -> dict[Path, tuple[bytes, int]]:
    """Read every file's bytes and mode."""
    return {
        path: ((service / path).read_bytes(), (service / path).stat().st_mode)
        for path in files(service)
    }


def answers_of(service: Path) -> dict[str, object]:
    """The recorded answers without copier's keys about the template's origin."""
    return {name: value for name, value in recorded(service).items() if not name.startswith("_")}


def test_the_same_answers_give_the_same_files_a_year_later(
    template: Path, service: Path, tmp_path: Path
) -> None:
    """With another date, rendering the recorded answers changes no byte."""
    with time_machine.travel(datetime.now(UTC) + timedelta(days=366)):
        second_render = render(template, tmp_path / "elsewhere", **answers_of(service))
    assert contents(second_render) == contents(service)


def test_cached_templates_change_no_file(template: Path, tmp_path: Path) -> None:
    """A render without the extension gives the same bytes, because the cache only saves time."""
    without_memory = shutil.copytree(template, tmp_path / "plain")
    replace(without_memory / "copier.yml", "  - extensions/memory.py:MemoryExtension\n", "")
    answers = COMBINATIONS[0].answers
    with_memory = render(template, tmp_path / "remembered/orders", **answers)
    compiled = render(without_memory, tmp_path / "compiled/orders", **answers)
    record = Path(".copier-answers.yml")
    assert contents(with_memory) | {record: b""} == contents(compiled) | {record: b""}


def test_only_a_known_jinja_is_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a later Jinja, which old releases may meet, the extension does nothing."""
    environment = Environment(extensions=[MemoryExtension])  # noqa: S701 -- not HTML
    assert environment.from_string("a") is environment.from_string("a")
    monkeypatch.setattr("extensions.memory.version", lambda _: "4.0.0")
    environment = Environment(extensions=[MemoryExtension])  # noqa: S701 -- not HTML
    assert "from_string" not in vars(environment)


def test_only_the_answers_file_contains_the_date(template: Path, tmp_path: Path) -> None:
    """A service made on another day differs only in its answers file."""
    features = COMBINATIONS[0].answers
    today = contents(render(template, tmp_path / "today/orders", **features))
    with time_machine.travel(datetime.now(UTC) + timedelta(days=366)):
        later = contents(render(template, tmp_path / "later/orders", **features))
    assert today.keys() == later.keys()
    assert [str(path) for path in today if today[path] != later[path]] == [".copier-answers.yml"]


def test_renders_do_not_depend_on_the_process(template: Path, tmp_path: Path) -> None:
    """Another locale, time zone, folder, user and hash seed give the same bytes."""
    here = render(template, tmp_path / "orders", **COMBINATIONS[0].answers)
    answers = json.dumps(answers_of(here))
    variables = {
        "LC_ALL": "C",
        "TZ": "Pacific/Kiritimati",
        "PYTHONHASHSEED": "7",
        "USER": "someone",
    }
    subprocess.run(
        [sys.executable, "-c", SCRIPT, template, tmp_path / "there", answers],
        env=os.environ | variables,
        check=True,
    )
    assert contents(tmp_path / "there") == contents(here)
