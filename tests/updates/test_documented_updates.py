"""The commands on the pages about updates work as described."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from tests.support.environment import PERSON, environment
from tests.support.files import replace
from tests.support.git import commit_all, status
from tests.support.releases import FIRST, GREEN, MAKEFILE, NEW, OLD, SUITE
from tests.support.rendering import ROOT
from tests.support.updater import ask

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.releases import Repository


def commands(page: str, heading: str) -> list[str]:
    """Return the commands in the `sh` blocks below a heading."""
    [section] = re.findall(
        rf"^## {heading}\n(.*?)(?=^## |\Z)", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL
    )
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def run(service: Path, line: str) -> tuple[int, str]:
    """Run a line in a shell, and return its status and output."""
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=service,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(**PERSON),
    )
    return done.returncode, done.stdout


def test_updating_is_as_described(updatable: Path, releases: Repository) -> None:
    """The commands of "How an update works" show the answers, the changelog and the changes."""
    releases.release("v1.1.0", FIRST, news="One.")
    lines = commands("docs/explanation.md", "How an update works")
    answers, news, update, changed = [run(updatable, line) for line in lines]
    assert {status for status, _ in (answers, news, update, changed)} == {0}
    assert "_commit: v1.0.0\n" in answers[1]
    assert "## v1.1.0\n\nOne.\n" in news[1]
    assert changed[1] == " M .copier-answers.yml\n M Makefile\n"


def test_the_printed_commands_complete_an_update(updatable: Path, releases: Repository) -> None:
    """The commands of the how-to guide commit the release, and undo later changes."""
    releases.replace(MAKEFILE, SUITE, GREEN)
    releases.release("v1.1.0", FIRST, news="One.")
    lines = commands("docs/how-to.md", "Update a service")
    statuses = {line: run(updatable, line)[0] for line in lines}
    assert statuses.pop("make template-check") == 2
    assert set(statuses.values()) == {0}
    assert len(statuses) == 8
    assert NEW in (updatable / "Makefile").read_text()
    assert status(updatable) == ""
    assert ask(updatable, "check").returncode == 0


def test_the_printed_commands_resolve_a_conflict(updatable: Path, releases: Repository) -> None:
    """The commands of the how-to guide commit the template's version."""
    replace(updatable / "Makefile", OLD, "## Ours")
    commit_all(updatable)
    releases.release("v1.1.0", FIRST)
    assert ask(updatable, "update").returncode == 2
    listed, *others = [
        run(updatable, line) for line in commands("docs/how-to.md", "Resolve a conflict")
    ]
    assert listed == (0, "Makefile\n")
    assert {status for status, _ in others} == {0}
    assert len(others) == 4
    assert f"clean: {NEW}\n" in (updatable / "Makefile").read_text()
    assert status(updatable) == ""


def test_remaining_conflict_markers_are_found(updatable: Path, releases: Repository) -> None:
    """The check in "Resolve a conflict" finds remaining conflict markers."""
    replace(updatable / "Makefile", OLD, "## Ours")
    commit_all(updatable)
    releases.release("v1.1.0", FIRST)
    assert ask(updatable, "update").returncode == 2
    lines = commands("docs/how-to.md", "Resolve a conflict")
    *_, check = [line for line in lines if "--check" in line]
    run(updatable, "git add --all .")
    found = run(updatable, check)
    assert found[0] != 0
    assert "leftover conflict marker" in found[1]
