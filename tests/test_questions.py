"""A bad answer stops the copy before it writes a file, and the message says what to type."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
import yaml
from copier.errors import UserMessageError
from jinja2 import UndefinedError

from extensions.answers import refuse_taken
from tests.support.rendering import render

COPIER = [sys.executable, "-m", "copier"]

DRAWN = "\x1b[?7h"
"""The sequence at the end of each prompt (xterm's DECAWM). The prompt then reads input."""

BAD: list[tuple[str, object, str]] = [
    ("project_name", "", 'such as "Orders"'),
    ("project_name", "   ", 'such as "Orders"'),
    ("project_name", " Orders", "without spaces at its ends"),
    ("project_name", "Ord\ners", "type one line"),
    ("project_name", "Ord\u2028ers", "type one line"),
    ("project_name", "\u202esredrO", "type one line"),
    ("project_name", "x" * 61, "type at most 60"),
    ("project_slug", "", 'such as "orders-api"'),
    ("project_slug", "shop/orders", 'such as "shop-orders"'),
    ("project_slug", "../orders", 'such as "orders"'),
    ("project_slug", "Orders", 'such as "orders"'),
    ("project_slug", "orders--api", 'such as "orders-api"'),
    ("project_slug", "-orders", 'such as "orders"'),
    ("project_slug", "3d", 'such as "service-3d"'),
    ("project_slug", "x" * 41, "at most 40 characters"),
    ("project_slug", "fastapi", 'type another name, such as "fastapi-service"'),
    ("package_name", "", 'such as "orders_api"'),
    ("package_name", "order-service", 'such as "order_service"'),
    ("package_name", "orders.api", 'such as "orders_api"'),
    ("package_name", "_orders", 'such as "orders"'),
    ("package_name", "Bücher", 'such as "bucher"'),
    ("package_name", "3d", 'such as "service_3d"'),
    ("package_name", "x" * 41, "at most 40 characters"),
    ("package_name", "class", 'Python keyword; type another name, such as "class_service"'),
    ("package_name", "match", 'Python keyword; type another name, such as "match_service"'),
    ("package_name", "types", "module of Python's standard library; type another name"),
    ("package_name", "compression", "module of Python's standard library; type another name"),
    ("package_name", "tests", 'type another name, such as "tests_service"'),
    ("package_name", "migrations", 'type another name, such as "migrations_service"'),
    ("package_name", "development", 'type another name, such as "development_service"'),
    ("package_name", "docs", 'type another name, such as "docs_service"'),
    ("package_name", "fastapi", "library the service may install; type another name"),
    ("package_name", "sqlalchemy", "library the service may install; type another name"),
    ("description", "", "it is empty; type a text"),
    ("description", "One line\nand another", "type one line"),
    ("description", "A bell \a", "type one line"),
    ("description", "x" * 501, "type at most 500"),
    ("author_name", "", 'such as "Jane Doe"'),
    ("author_name", "Doe, Jane", "type it without any of , < >"),
    ("author_email", "", 'such as "orders@example.com"'),
    ("author_email", "jane", 'such as "orders@example.com"'),
    ("author_email", "jane@localhost", 'such as "orders@example.com"'),
    ("author_email", "Jane <jane@example.com>", 'such as "orders@example.com"'),
    ("author_email", "jane@example..com", 'such as "orders@example.com"'),
    ("author_email", f"{'a' * 243}@example.com", 'such as "orders@example.com"'),
    ("code_owner", "acme/payments", "type code_owners=@acme/payments"),
    ("code_owners", "acme/payments", 'such as "@jane @acme/payments", or nothing'),
    ("code_owners", "@jane  @joe", "type users, teams or e-mail addresses"),
    ("code_owners", "@jane, @joe", "type users, teams or e-mail addresses"),
    ("python_version", "3.10", "type one of 3.11, 3.12, 3.13, 3.14"),
    ("python_version", "three", "type one of 3.11, 3.12, 3.13, 3.14"),
    ("postgres", "maybe", "type yes or no"),
    ("kafka", "redpanda", "type yes or no"),
    ("healthcheck", "", "type yes or no"),
    ("authentication", "keycloak", "type yes or no"),
    ("generated_on", "yesterday", 'such as "2026-01-31"'),
    ("generated_on", "20260131", 'such as "2026-01-31"'),
    ("created_with", "[redis]", "recorded by the first copy; leave it out"),
    ("outbox", "true", "computed from the other answers; leave it out"),
    ("features", "[kafka]", "computed from the other answers; leave it out"),
    ("left_over", "true", "computed from the other answers; leave it out"),
    ("env_prefix", "X_", "computed from the other answers; leave it out"),
    ("images", "{}", "computed from the other answers; leave it out"),
]  # fmt: skip


@pytest.mark.parametrize(("question", "answer", "advice"), BAD)
def test_a_bad_answer_on_the_command_line_writes_nothing(
    template: Path, tmp_path: Path, question: str, answer: object, advice: str
) -> None:
    """Each bad value ends the copy. The message names the question and says what to type."""
    with pytest.raises(UserMessageError) as refused:
        render(template, tmp_path / "service", **{question: answer})
    assert refused.value.message.startswith(f"{question}: ")
    assert advice in refused.value.message
    assert not (tmp_path / "service").exists()


def test_all_bad_answers_are_reported_at_once(template: Path, tmp_path: Path) -> None:
    """On the command line: exit code 1, a line for each bad value, no traceback, no file."""
    data = ["project_slug=a/b", "package_name=class", "kafka=maybe"]
    options = [part for item in data for part in ("--data", item)]
    command = [*COPIER, "copy", "--trust", "--defaults", *options, str(template)]
    done = subprocess.run(
        [*command, str(tmp_path / "service")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for question in ("project_slug: ", "package_name: ", "kafka: "):
        assert question in done.stderr
    assert not (tmp_path / "service").exists()


def test_a_name_taken_by_a_newer_library_is_refused(template: Path, tmp_path: Path) -> None:
    """A copy and an update stop with a message. A validator would reset the recorded answer."""
    with pytest.raises(UserMessageError, match="give the service and its package another name"):
        render(template, tmp_path / "service", package_name="fastapi_offline")


@pytest.mark.parametrize("names", [{"package_name": "jwt"}, {"project_slug": "pyjwt"}])
def test_authentication_is_refused_if_the_service_has_a_librarys_name(
    template: Path, tmp_path: Path, names: dict[str, str]
) -> None:
    """Older services may have such a name and keep it in updates, but cannot add the feature."""
    render(template, tmp_path / "without", **names)
    with pytest.raises(UserMessageError, match="a library that it installs; type no"):
        render(template, tmp_path / "with", **names, authentication=True)
    assert not (tmp_path / "with").exists()


def test_a_feature_is_refused_without_the_features_it_needs() -> None:
    """The message names the feature that is missing."""
    jobs = {"needs": ["postgres"]}
    with pytest.raises(UndefinedError, match="jobs: it needs postgres; type yes for that too"):
        refuse_taken({"jobs": jobs}, "orders")
    assert not refuse_taken({"postgres": {}, "jobs": jobs}, "orders")


def test_a_relative_path_to_the_template_is_refused(template: Path, tmp_path: Path) -> None:
    """The answers file records the template's path, and updates start in another folder."""
    with contextlib.chdir(template), pytest.raises(UserMessageError, match="type its full path"):
        render(Path(), tmp_path / "service")
    assert not (tmp_path / "service").exists()


def test_a_bad_answer_at_the_prompt_is_explained_and_asked_again(
    template: Path, tmp_path: Path
) -> None:
    """A user who types a bad value reads what to type, types it, and gets the service."""
    arguments = [*COPIER[1:], "copy", "--trust", str(template), str(tmp_path / "service")]
    variables = os.environ | {
        "PROMPT_TOOLKIT_NO_CPR": "1"
    }  # do not query the terminal, which cannot answer
    terminal = pexpect.spawn(
        COPIER[0], arguments, env=variables, encoding="utf-8", timeout=60, dimensions=(40, 300)
    )
    for question, bad, advice, good in [
        ("service called?", "", 'such as "Orders"', "Größe"),
        ("name for machines", "a/b", 'such as "a-b"', "orders"),
        ("Python package?", "class", 'such as "class_service"', "orders"),
        ("What does it do", "", "it is empty", "Keeps {{ orders }}"),
        ("Who looks after it?", "Doe, Jane", 'such as "Jane Doe"', "Jane Doe"),
        ("e-mail address?", "jane", 'such as "orders@example.com"', "jane@example.com"),
        ("asked to review", "jane", 'such as "@jane @acme/payments"', "@jane team@example.com"),
    ]:
        terminal.expect_exact(question)
        terminal.expect_exact(DRAWN)
        terminal.send("\x05\x15" + bad + "\r")  # go to the end of the line and delete it
        terminal.expect_exact(advice)
        assert not (tmp_path / "service").exists()
        terminal.send("\x05\x15" + good + "\r")
    for question, key in [
        ("Which Python", "\r"),
        ("PostgreSQL", "y"),
        ("Kafka", "y"),
        ("health checks", "n"),
        ("bearer tokens", "y"),
    ]:
        terminal.expect_exact(question)
        terminal.expect_exact(DRAWN)
        terminal.send(key)
    terminal.expect(pexpect.EOF)
    assert terminal.wait() == 0, terminal.before
    answers = yaml.safe_load((tmp_path / "service/.copier-answers.yml").read_text())
    assert answers["project_name"] == "Größe"
    assert answers["description"] == "Keeps {{ orders }}"
    assert answers["code_owners"] == "@jane team@example.com"
    assert answers["healthcheck"] is False
    assert answers["authentication"] is True
