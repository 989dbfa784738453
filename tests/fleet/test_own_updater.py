"""The check runs the service's own updater."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.git import commit_all

if TYPE_CHECKING:
    from tests.fleet.conftest import Workshop

SCRIPT = "development/template.py"
UPDATER = """
    import subprocess, sys
    from pathlib import Path

    command, release = sys.argv[1:]
    assert command == "update"
    template = Path(".copier-answers.yml").read_text()
    hooks = subprocess.run(["git", "config", "core.hooksPath"], capture_output=True, text=True)
    name = Path.cwd().name
    if name == "refused":
        sys.exit(f"It does not go to {release}.")
    Path("Makefile").write_text(f"{release} with {hooks.stdout}")
    if name == "clashing":
        print("Updated.\\nIn conflict:\\n  Makefile:1\\n  Makefile:9\\n  main.py (unmerged)\\n")
        sys.exit(2)
    """
STATES = {"clashing": "conflict", "refused": "unknown", "smooth": "behind", "edited": "behind"}


@pytest.fixture(name="monorepo")
def _monorepo(workshop: Workshop) -> Workshop:
    """Services in one repository. Each updater behaves as its folder's name says."""
    workshop.release("v1.1.0", **{SCRIPT: UPDATER})
    repository = workshop.services / "all [of them]"
    for name in STATES:
        service = workshop.service(name, "v1.1.0")
        shutil.copytree(service, repository / name, ignore=shutil.ignore_patterns(".git"))
        shutil.rmtree(service)
    (repository / "edited" / SCRIPT).write_text("raise SystemExit('it ran')\n")
    commit_all(repository)
    workshop.release("v1.2.0", Makefile="run:\n\tserve --fast\n")
    return workshop


def test_the_service_runs_its_own_updater(
    monorepo: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report shows the updater's conflicts and refusals. Git keeps the user's configuration.

    An edited updater is the service's code and does not run. Copier runs in its place.
    """
    gitconfig = monorepo.root / "gitconfig"
    gitconfig.write_text("[core]\n\thooksPath = /shared/hooks\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(gitconfig))
    services = monorepo.ask("check", monorepo.services).services
    assert {name: service["state"] for name, service in services.items()} == STATES
    assert services["clashing"]["conflicts"] == ["Makefile", "main.py"]
    assert services["refused"]["reason"] == "its update fails: It does not go to --to=v1.2.0."
    assert services["smooth"]["changed_files"] == ["Makefile"]
    assert services["edited"]["changed_files"] == [".copier-answers.yml", "Makefile"]
    assert services["edited"]["conflicts"] == []
