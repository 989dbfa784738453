"""The commands on the page for maintainers work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.environment import PERSON
from tests.support.git import git
from tests.support.rendering import ROOT
from tests.support.services import Service

if TYPE_CHECKING:
    import pytest

    from tests.support.releases import Repository

PAGE = ROOT / "docs/maintaining.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
CORS, ORIGINS = "orders/internal/http/cors.py", "orders/internal/http/origins.py"
HEALTH = "orders/internal/healthcheck/probes.py"


def blocks(heading: str) -> dict[str, str]:
    """Return the code blocks below a heading by language. Commands have none."""
    _, _, below = PAGE.read_text().partition(f"\n## {heading}\n")
    found = BLOCK.findall(below.partition("\n## ")[0])
    assert len(found) == len({language for language, _ in found}) > 0
    return dict(found)


def type_in(commands: str, folder: Path) -> str:
    """Run commands in a folder, and return their output. All must succeed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", "-euc", commands.replace("uv run ", "")],
        cwd=folder,
        env=os.environ | PERSON | {"PATH": path},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_service_receives_the_changes_on_the_page(
    upstream: Repository, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One release adds a question, converts an answer, renames a file, and removes a feature."""
    orders = Service.copy(
        upstream, tmp_path / "orders", "v1.0.0", postgres=False, description="Keeps orders."
    )
    for path in (CORS, HEALTH):
        orders.write(path, orders.read(path) + "\nOURS = 1\n")
    orders.commit()
    before = orders.answers
    add_question(upstream.folder)
    convert_answer(upstream.folder)
    rename_file(upstream)
    retire_feature(upstream.folder)
    upstream.release("v1.1.0")

    orders.update()

    assert orders.conflicts == []
    # The new question has its default answer, and the other answer is converted.
    after = {**before, "team": "none", "description": "Keeps orders", "_commit": "v1.1.0"}
    del after["healthcheck"]
    assert orders.answers == after
    # The service's edits are in the renamed file.
    assert orders.read(ORIGINS).endswith("\nOURS = 1\n")
    assert not orders.has(CORS)
    assert [path for path, text in orders.texts.items() if "http.cors import" in text] == []
    # The feature's files are gone. The edited one is saved and reported.
    folder = orders.folder / "orders/internal/healthcheck"
    assert [path.name for path in folder.iterdir()] == ["probes.py.saved"]
    assert f"Saved {HEALTH} as {HEALTH}.saved" in capfd.readouterr().out


def add_question(template: Path) -> None:
    """Add the page's question."""
    shown = blocks("Add a question")
    config = template / "copier.yml"
    config.write_text(config.read_text() + "\n" + shown["yaml"])
    assert type_in(shown[""], template) == "team: none\n"


def convert_answer(template: Path) -> None:
    """Add the page's entry to the table of conversions."""
    table = re.compile(r"^(CONVERSIONS: .* = )\(", flags=re.MULTILINE)
    entry = blocks("Change a validator or a question's name")["text"]
    substitute(table, rf"\1(\n{entry}", template / "migrations/answers.py")


def rename_file(upstream: Repository) -> None:
    """Rename the page's file, change its imports, and add it to the table of renames."""
    shown = blocks("Rename a file")
    type_in(shown[""], upstream.folder)
    importing = type_in(shown["sh"], upstream.folder).splitlines()
    for path in {line.partition(":")[0] for line in importing}:
        file = upstream.folder / path
        file.write_text(file.read_text().replace("http.cors import", "http.origins import"))
    table = "RENAMES: Final[Mapping[str, str]] = {"
    upstream.replace("migrations/files.py", table, f"{table}\n{shown['python']}")


def retire_feature(template: Path) -> None:
    """Replace the feature's question by the page's."""
    question = re.compile(r"^healthcheck:\n(?:  .*\n)+", flags=re.MULTILINE)
    substitute(question, blocks("Retire a feature")["yaml"], template / "copier.yml")


def substitute(pattern: re.Pattern[str], replacement: str, path: Path) -> None:
    """Replace what matches a pattern in a file exactly once."""
    text, count = pattern.subn(replacement, path.read_text())
    assert count == 1
    path.write_text(text)


def test_a_release_is_made(upstream: Repository) -> None:
    """The tag is on the release commit, which contains all files."""
    shutil.copytree(ROOT / ".github", upstream.folder / ".github")
    upstream.release("unused")
    (upstream.folder / "copier.yml").write_text("# changed\n")
    (upstream.folder / "CHANGELOG.md").write_text("## v9.9.9\n")
    printed = type_in(blocks("Cut a release")[""], upstream.folder)
    assert printed == "v9.9.9\n"
    assert git(upstream.folder, "status", "--porcelain") == ""
