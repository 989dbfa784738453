"""A small template with releases, services made from it, and runs of the fleet command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import copier
import pytest

from tests.support.git import commit_all
from tests.support.rendering import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

QUESTIONS = """
    _subdirectory: template
    name: {type: str}
    postgres: {type: bool, default: true}
    kafka: {type: bool, default: false}
    """
ANSWERS = "{{ _copier_conf.answers_file }}.jinja"


@dataclass(frozen=True)
class Outcome:
    """The result of a run of the command."""

    status: int
    printed: str
    complained: str
    report: dict[str, Any]
    services: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Workshop:
    """A folder with a template, services made from it, and a temporary folder for the command."""

    root: Path
    temporary: Path

    @property
    def template(self) -> Path:
        """The template's repository."""
        return self.root / "template"

    @property
    def services(self) -> Path:
        """The folder where the services are."""
        return self.root / "services"

    def release(self, tag: str, **files: str) -> None:
        """Release a template with additional files."""
        is_first = not self.template.exists()
        source = self.template / "template"
        source.mkdir(parents=True, exist_ok=True)
        if is_first:
            (self.template / "copier.yml").write_text(dedent(QUESTIONS))
            (source / ANSWERS).write_text("{{ _copier_answers | to_nice_yaml -}}\n")
        for name, text in files.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_text(dedent(text))
        commit_all(self.template, tag=tag)

    def service(self, name: str, release: str, **answers: object) -> Path:
        """Make a service from a release, and commit it."""
        service = self.services / name
        copier.run_copy(
            str(self.template),
            service,
            data={"name": name, **answers},
            vcs_ref=release,
            defaults=True,
            quiet=True,
        )
        commit_all(service)
        return service

    def trap(self, tag: str, **traps: str) -> None:
        """Release a template whose update runs a shell command in the named services."""
        migrations = [
            {"command": command, "when": f"{{{{ name == '{name}' and _stage == 'after' }}}}"}
            for name, command in traps.items()
        ]
        path = self.template / "copier.yml"
        path.write_text(dedent(QUESTIONS) + json.dumps({"_migrations": migrations})[1:-1] + "\n")
        self.release(tag)

    def command(self, *arguments: str | Path) -> list[str]:
        """Return the command line of a check with a report."""
        command = [sys.executable, "-m", "fleet", *map(str, arguments)]
        return [*command, f"--json={self.root / 'report.json'}"]

    @property
    def variables(self) -> dict[str, str]:
        """The environment of the command."""
        return os.environ | {"TMPDIR": str(self.temporary), "COLUMNS": "200"}

    def ask(self, *arguments: str | Path) -> Outcome:
        """Run the command and read its report."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            env=self.variables,
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        return self.outcome(done.returncode, done.stdout, done.stderr)

    def places(self, *arguments: str | Path) -> dict[str, str]:
        """Run the command, and return the state of each service by its place."""
        return {
            service["place"]: service["state"]
            for service in self.ask(*arguments).report["services"]
        }

    def outcome(self, status: int, printed: str, errors: str) -> Outcome:
        """Return the result of a run with its report, if there is one."""
        path = self.root / "report.json"
        report = json.loads(path.read_text()) if path.exists() else {"services": []}
        services = {service["name"]: service for service in report["services"]}
        return Outcome(status, printed, errors, report, services)


@pytest.fixture(name="workshop")
def _workshop(tmp_path: Path) -> Iterator[Workshop]:
    """A template with one release and no services. The command must remove its temporary files."""
    with TemporaryDirectory(
        prefix="t-"
    ) as temporary:  # short, because a socket's path has at most 107 characters
        workshop = Workshop(tmp_path, Path(temporary))
        workshop.release("v1.0.0", Makefile="run:\n\tserve\n\ntest:\n\tpytest\n")
        yield workshop
        assert list(Path(temporary).iterdir()) == []


@pytest.fixture(name="evolved")
def _evolved(workshop: Workshop) -> Workshop:
    """A template with three releases. Each changes one line."""
    workshop.release("v1.1.0", Makefile="run:\n\tserve --fast\n\ntest:\n\tpytest\n")
    workshop.release("v1.2.0", Makefile="run:\n\tserve --faster\n\ntest:\n\tpytest\n")
    return workshop
