"""The commands on the page for maintainers work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.environment import PERSON
from tests.support.git import git
from tests.support.rendering import ROOT
from tests.support.services import Service

if TYPE_CHECKING:
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


@pytest.fixture(name="orders")
def _orders(upstream: Repository, tmp_path: Path) -> Service:
    """A service of the release before the change."""
    service = Service.copy(
        upstream, tmp_path / "orders", "v1.0.0", postgres=False, description="Keeps orders."
    )
    for path in (CORS, HEALTH):
        service.write(path, service.read(path) + "\nOURS = 1\n")
    service.commit()
    return service


def test_a_question_is_added(orders: Service, upstream: Repository) -> None:
    """New services record the default, and older ones receive it in an update."""
    said = blocks("Add a question")
    config = upstream.folder / "copier.yml"
    config.write_text(config.read_text() + "\n" + said["yaml"])
    assert type_in(said[""], upstream.folder) == "team: none\n"
    before = orders.answers
    orders.update("HEAD")
    assert orders.answers == before | {"team": "none", "_commit": orders.answers["_commit"]}


def test_an_answer_gets_another_form(orders: Service, upstream: Repository) -> None:
    """A recorded answer is converted as the entry says."""
    table = re.compile(r"^(CONVERSIONS: .* = )\(", flags=re.MULTILINE)
    script = upstream.folder / "migrations/answers.py"
    entry = blocks("Change a validator or a question's name")["text"]
    text, count = table.subn(rf"\1(\n{entry}", script.read_text())
    assert count == 1
    script.write_text(text)
    upstream.release("v1.1.0")
    orders.update()
    assert orders.answers["description"] == "Keeps orders"


def test_a_file_is_renamed(orders: Service, upstream: Repository) -> None:
    """A service's edits move to the renamed file."""
    said = blocks("Rename a file")
    type_in(said[""], upstream.folder)
    importing = type_in(said["sh"], upstream.folder).splitlines()
    for path in {line.partition(":")[0] for line in importing}:
        file = upstream.folder / path
        file.write_text(file.read_text().replace("http.cors import", "http.origins import"))
    table = "RENAMES: Final[Mapping[str, str]] = {"
    upstream.release("v1.1.0", {"migrations/files.py": (table, f"{table}\n{said['python']}")})
    orders.update()
    assert orders.read(ORIGINS).endswith("\nOURS = 1\n")
    assert not orders.has(CORS)
    assert [path for path, text in orders.texts.items() if "http.cors import" in text] == []


def test_a_feature_is_retired(
    orders: Service, upstream: Repository, capfd: pytest.CaptureFixture[str]
) -> None:
    """Services lose the feature's files and answer. Edited files are saved and reported."""
    question = re.compile(r"^healthcheck:\n(?:  .*\n)+", flags=re.MULTILINE)
    config = upstream.folder / "copier.yml"
    text, count = question.subn(blocks("Retire a feature")["yaml"], config.read_text())
    assert count == 1
    config.write_text(text)
    upstream.release("v1.1.0")
    orders.update()
    assert orders.conflicts == []
    assert "healthcheck" not in orders.answers
    folder = orders.folder / "orders/internal/healthcheck"
    assert [path.name for path in folder.iterdir()] == ["probes.py.saved"]
    assert f"Saved {HEALTH} as {HEALTH}.saved" in capfd.readouterr().out


def test_a_release_is_cut(upstream: Repository) -> None:
    """The tag is on the commit with the subject of a release, which contains all files."""
    shutil.copytree(ROOT / ".github", upstream.folder / ".github")
    upstream.release("unused")
    (upstream.folder / "copier.yml").write_text("# changed\n")
    (upstream.folder / "CHANGELOG.md").write_text("## v9.9.9\n")
    printed = type_in(blocks("Cut a release")[""], upstream.folder)
    assert printed == "v9.9.9\n"
    assert git(upstream.folder, "status", "--porcelain") == ""
