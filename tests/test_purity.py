"""Rendering is a function of the recorded answers and of nothing else."""

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
    """The recorded answers, without copier's notes about where the template came from."""
    return {name: value for name, value in recorded(service).items() if not name.startswith("_")}


def test_the_same_answers_give_the_same_files_a_year_later(
    template: Path, service: Path, tmp_path: Path
) -> None:
    """With the clock moved, rendering the recorded answers changes no byte."""
    with time_machine.travel(datetime.now(UTC) + timedelta(days=366)):
        second_render = render(template, tmp_path / "elsewhere", **answers_of(service))
    assert contents(second_render) == contents(service)


def test_the_memory_of_compiled_templates_changes_no_file(template: Path, tmp_path: Path) -> None:
    """A render without the extension gives the same bytes: the memory only saves time."""
    without_memory = shutil.copytree(template, tmp_path / "plain")
    replace(without_memory / "copier.yml", "  - extensions/memory.py:MemoryExtension\n", "")
    answers = COMBINATIONS[0].answers
    with_memory = render(template, tmp_path / "remembered/orders", **answers)
    compiled = render(without_memory, tmp_path / "compiled/orders", **answers)
    record = Path(".copier-answers.yml")
    assert contents(with_memory) | {record: b""} == contents(compiled) | {record: b""}


def test_the_memory_is_for_a_known_jinja_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later Jinja keeps its own method: an old release renders with what is installed then."""
    environment = Environment(extensions=[MemoryExtension])  # noqa: S701 -- not HTML
    assert environment.from_string("a") is environment.from_string("a")
    monkeypatch.setattr("extensions.memory.version", lambda _: "4.0.0")
    environment = Environment(extensions=[MemoryExtension])  # noqa: S701 -- not HTML
    assert "from_string" not in vars(environment)


def test_only_the_record_knows_the_day(template: Path, tmp_path: Path) -> None:
    """A service that is made on another day differs in the answers file alone."""
    features = COMBINATIONS[0].answers
    today = contents(render(template, tmp_path / "today/orders", **features))
    with time_machine.travel(datetime.now(UTC) + timedelta(days=366)):
        later = contents(render(template, tmp_path / "later/orders", **features))
    assert today.keys() == later.keys()
    assert [str(path) for path in today if today[path] != later[path]] == [".copier-answers.yml"]


def test_the_process_that_renders_leaves_no_trace(template: Path, tmp_path: Path) -> None:
    """Another process, locale, time zone, folder, user and order of hashing give the same bytes."""
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
