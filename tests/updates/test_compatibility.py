"""Later releases accept or convert the files and answers of older services."""

from __future__ import annotations

import re
from posixpath import normpath
from runpy import run_path
from typing import TYPE_CHECKING

import pytest
from pathspec import PathSpec

from extensions.answers import (
    DEPENDENCIES,
    FOLDERS,
    KEYWORDS,
    NAME_LENGTH,
    STANDARD_LIBRARY,
    problem,
)
from migrations.answers import convert_answers
from migrations.files import RENAMES
from tests.support.git import git
from tests.support.history import asks, releases
from tests.support.ownership import YOURS, lists
from tests.support.rendering import recorded, render

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.releases import Repository

REMOVED: frozenset[str] = frozenset(
    {
        "development/authentication/issuer.py",
        "development/postgres/backing.py",
        "development/postgres/errors.py",
        "development/postgres/migration.py",
        "development/serve.py",
        "development/updating/leftovers.py",
        "tests/harness/kafka/fixtures.py",
        "tests/harness/kafka/hooks.py",
        "tests/harness/kafka/keys.py",
        "tests/harness/postgres/background.py",
        "tests/harness/postgres/embedded.py",
        "tests/harness/postgres/exceptions.py",
        "tests/harness/postgres/history.py",
        "tests/harness/postgres/hooks.py",
        "tests/harness/postgres/offline.py",
        "tests/harness/postgres/pack.py",
        "tests/harness/postgres/project.py",
        "tests/harness/postgres/shared.py",
        "tests/harness/postgres/squawk.py",
        "tests/harness/postgres/statements.py",
        "tests/migration/conftest.py",
        "tests/migration/test_history.py",
        "tests/migration/test_locks.py",
        "tests/migration/test_models.py",
        "tests/migration/test_stairway.py",
        "{package_name}/domain/common/json_types.py",
        "{package_name}/internal/authentication/identity.py",
        "{package_name}/internal/config/output.py",
        "{package_name}/internal/database/connection.py",
        "{package_name}/internal/database/histories.py",
        "{package_name}/internal/database/retry.py",
        "{package_name}/internal/database/server_defaults.py",
        "{package_name}/internal/healthcheck/router.py",
        "{package_name}/internal/http/head.py",
        "{package_name}/internal/http/upgrades.py",
        "{package_name}/internal/kafka/consuming/counters.py",
        "{package_name}/internal/kafka/consuming/group.py",
        "{package_name}/internal/kafka/consuming/isolation.py",
        "{package_name}/internal/kafka/outbox/dispatch.py",
        "{package_name}/internal/kafka/outbox/leadership.py",
        "{package_name}/internal/kafka/outbox/probe.py",
        "{package_name}/internal/kafka/outbox/pruning.py",
        "{package_name}/internal/kafka/outbox/window.py",
        "{package_name}/internal/kafka/probes.py",
        "{package_name}/internal/kafka/readable.py",
        "{package_name}/internal/kafka/settings_base.py",
        "{package_name}/internal/kafka/trace.py",
    }
)
"""Paths that releases removed from services without a replacement."""

CONDITION = re.compile(r"\{%.*?%\}")

NAMES = ("o", "api2", "a-b-c", "a_b_c", "x" * NAME_LENGTH, "a1-2-3", "xn", "service")
WORDS = sorted(KEYWORDS | STANDARD_LIBRARY | FOLDERS | DEPENDENCIES)
LINES = ("x", "x" * 60, "x" * 500, "Größe", "- no", "null", "3.10", "{{ x }}", "a, <b>", "🚀", '"')
EMAILS = ("a@b.co", "o'{x}+%@example.com", "a.b@c-d.e-f.gh", f"{'a' * 64}@{'b' * 63}.com")
ACCEPTED: dict[str, tuple[str, ...]] = {
    "project_name": LINES,
    "project_slug": (*NAMES, *WORDS, *(word.replace("_", "-") for word in WORDS)),
    "package_name": (*NAMES, *WORDS),
    "description": LINES,
    "author_name": LINES,
    "author_email": EMAILS,
    "code_owner": ("", "jane", "acme/payments", "acme-2/pay.ments_3"),
    "code_owners": ("", "@jane", "@jane @acme/pay.ments_3", *EMAILS, " ".join(EMAILS)),
    "python_version": tuple(f"3.{minor}" for minor in range(10, 16)),
    **dict.fromkeys(
        ("postgres", "kafka", "healthcheck", "authentication"), ("True", "False", "yes", "n", "1")
    ),
    "generated_on": ("2024-02-29", "1999-12-31", "9999-12-31"),
    "created_with": ("[]", "['postgres', 'kafka', 'healthcheck', 'authentication']"),
}
"""Unusual answers to each question. A test tries those that a release accepted."""


def place(path: str) -> str:
    """Return the path of a template file in the service `orders`."""
    rendered = CONDITION.sub("", path.removeprefix("template/")).removesuffix(".jinja")
    return normpath(rendered).replace("{{ package_name }}", "orders")


@pytest.fixture(scope="module", name="service")
def _service(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A current service with all features."""
    folder = tmp_path_factory.mktemp("today") / "orders"
    return render(template, folder, kafka=True, authentication=True)


@pytest.mark.parametrize("release", releases())
def test_each_file_of_a_release_still_exists_or_was_renamed(
    history: Repository, template: Path, service: Path, release: str
) -> None:
    """A removed path needs a row in RENAMES, or in REMOVED above."""
    today = {place(str(path.relative_to(template))) for path in template.rglob("*")}
    listed = git(history.folder, "ls-tree", "-rz", "--name-only", release, "template")
    before = {place(path) for path in listed.strip("\0").split("\0")}
    owned_by_services = PathSpec.from_lines("gitignore", lists(service)[YOURS])
    declared = {path.format(package_name="orders") for path in {*RENAMES, *REMOVED}}
    assert before - today - declared - {*owned_by_services.match_files(before)} == set()


@pytest.mark.parametrize("release", releases())
def test_each_answer_that_a_release_accepted_is_accepted_today(
    history: Repository, tmp_path: Path, release: str
) -> None:
    """A stricter validator needs an entry in CONVERSIONS."""
    script = tmp_path / "answers.py"
    script.write_text(git(history.folder, "show", f"{release}:extensions/answers.py"))
    problem_then: Callable[[str, str], str] = run_path(str(script))["problem"]
    accepted = [
        {question: answer}
        for question, answers in ACCEPTED.items()
        if asks(release, question)
        for answer in answers
        if not problem_then(answer, question)
    ]
    assert accepted
    refused = {
        (question, str(answer)): problem(answer, question)
        for before in accepted
        for question, answer in convert_answers(dict(before)).items()
        if problem(answer, question)
    }
    assert refused == {}


def test_unusual_answers_are_tried_for_every_question(service: Path) -> None:
    """A new question needs answers in the table."""
    questions = {name for name in recorded(service) if not name.startswith("_")}
    assert questions - ACCEPTED.keys() == set()
