"""The scheduled workflow keeps one pull request current, and does not touch the work of others.

The service's repository and its origin are real. A program with memory simulates GitHub.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support.files import replace
from tests.support.git import commit_all, git
from tests.support.releases import FIRST, MAKEFILE, NEW, OLD, SECOND
from tests.support.rendering import ROOT
from tests.support.updater import ask

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.releases import Repository

BRANCH = "template-update"

GITHUB = """
import json, pathlib, subprocess, sys

state, origin = map(pathlib.Path, {paths})
requests = json.loads(state.read_text()) if state.exists() else []
_, verb, *rest = sys.argv[1:]


def option(name):
    return rest[rest.index(name) + 1]


def head():
    command = ["git", f"--git-dir={{origin}}", "rev-parse", "template-update"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


for one in requests:
    if one["state"] == "OPEN" and not one["isCrossRepository"]:
        one["headRefOid"] = head()
if verb == "list":
    assert (option("--head"), option("--state")) == ("template-update", "all")
    fields = option("--json").split(",")
    print(json.dumps([{{name: one[name] for name in fields}} for one in requests]))
    sys.exit()
if verb == "create":
    one = {{"number": len(requests) + 1, "state": "OPEN", "isCrossRepository": False}}
    one |= {{"isDraft": "--draft" in rest, "base": option("--base"), "headRefOid": head()}}
    requests.append(one)
else:
    [one] = [one for one in requests if one["number"] == int(rest[0])]
if verb == "ready":
    one["isDraft"] = "--undo" in rest
else:
    one |= {{"title": option("--title"), "body": pathlib.Path(option("--body-file")).read_text()}}
one["writes"] = one.get("writes", 0) + 1
state.write_text(json.dumps(requests))
"""


class Hosted:
    """A service's clone, its origin, and its pull requests on a simulated GitHub."""

    def __init__(self, service: Path) -> None:
        """Publish a service, and replace GitHub's command-line tool."""
        self.service = service
        self.origin = service.with_name("origin.git")
        self.state = service.with_name("requests.json")
        self.programs = service.with_name("programs")
        git(service, "branch", "--move", "main")
        git(service, "clone", "--quiet", "--bare", ".", str(self.origin))
        git(service, "remote", "add", "origin", str(self.origin))
        self.programs.mkdir()
        remembers = self.programs / "remembers.py"
        remembers.write_text(GITHUB.format(paths=[str(self.state), str(self.origin)]))
        program = self.programs / "gh"
        command = shlex.join([sys.executable, str(remembers)])
        program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        program.chmod(0o755)

    @property
    def requests(self) -> list[dict[str, object]]:
        """The current pull requests."""
        found: list[dict[str, object]] = json.loads(self.state.read_text())
        return found

    @requests.setter
    def requests(self, requests: list[dict[str, object]]) -> None:
        self.state.write_text(json.dumps(requests))

    @property
    def tip(self) -> str:
        """The commit of the branch at the origin, or an empty string."""
        return git(self.service, "ls-remote", "origin", f"refs/heads/{BRANCH}")[:40]

    def run(self) -> str:
        """Run the workflow's command in a fresh shallow clone."""
        checkout = self.service.with_name("checkout")
        git(self.service, "push", "--quiet", "origin", "main")
        git(self.service, "clone", "--quiet", "--depth=1", f"file://{self.origin}", str(checkout))
        path = os.pathsep.join([str(self.programs), os.environ["PATH"]])
        done = ask(checkout, "propose", "--base=main", PATH=path)
        checkout.rename(checkout.with_name(f"done-{len(list(checkout.parent.glob('done-*')))}"))
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(name="hosted")
def _hosted(updatable: Path) -> Hosted:
    """An up-to-date service without pull requests."""
    return Hosted(updatable)


def test_a_release_becomes_one_pull_request(hosted: Hosted, releases: Repository) -> None:
    """The pull request contains the changelog. A second run changes nothing."""
    hosted.run()
    assert (hosted.tip, hosted.state.exists()) == ("", False)
    releases.release("v1.1.0", FIRST, news="One.")
    hosted.run()
    [request] = hosted.requests
    assert (request["base"], request["isDraft"], request["writes"]) == ("main", False, 1)
    assert request["title"] == "Update from the template: v1.0.0 to v1.1.0"
    assert request["body"] == "## v1.1.0\n\nOne.\n"
    tip = hosted.tip
    assert git(hosted.origin, "log", "-1", "--format=%P", tip) == git(
        hosted.service, "log", "-1", "--format=%H"
    )
    assert NEW in git(hosted.origin, "show", f"{tip}:Makefile")
    hosted.run()
    assert (hosted.tip, hosted.requests) == (tip, [request])


def test_the_pull_request_is_kept_current(hosted: Hosted, releases: Repository) -> None:
    """A later release and commits on the main branch update the pull request."""
    releases.release("v1.1.0", FIRST, news="One.")
    hosted.run()
    releases.release("v1.2.0", SECOND, news="Two.")
    (hosted.service / "notes.txt").write_text("ours")
    commit_all(hosted.service)
    hosted.run()
    [request] = hosted.requests
    assert request["title"] == "Update from the template: v1.0.0 to v1.2.0"
    assert request["body"] == "## v1.2.0\n\nTwo.\n\n## v1.1.0\n\nOne.\n"
    assert git(hosted.origin, "log", "-1", "--format=%P", hosted.tip) == git(
        hosted.service, "log", "-1", "--format=%H"
    )
    hosted.requests = [request | {"body": "half written"}]
    hosted.run()
    assert hosted.requests[0]["body"] == request["body"]


def test_conflicts_make_the_pull_request_a_draft(hosted: Hosted, releases: Repository) -> None:
    """With conflicts, the pull request is a draft and lists them."""
    releases.release("v1.1.0", FIRST)
    hosted.run()
    assert hosted.requests[0]["isDraft"] is False
    replace(hosted.service / "Makefile", OLD, "## Ours")
    commit_all(hosted.service)
    hosted.run()
    [request] = hosted.requests
    assert request["isDraft"] is True
    assert re.match(r"## In conflict\n\n- `Makefile:\d+`\n\n## v1.1.0\n", str(request["body"]))
    hosted.requests = [request | {"isDraft": False}]
    hosted.run()
    assert hosted.requests[0]["isDraft"] is False  # already reported, and nothing is new
    replace(hosted.service / "Makefile", "## Ours", OLD)
    commit_all(hosted.service)
    hosted.requests = [request]
    hosted.run()
    assert hosted.requests[0]["isDraft"] is False


def test_work_of_others_on_the_branch_is_kept(hosted: Hosted, releases: Repository) -> None:
    """The next run does not overwrite commits of others on the branch."""
    releases.release("v1.1.0", FIRST)
    hosted.run()
    [request] = hosted.requests
    git(hosted.service, "fetch", "--quiet", "origin", BRANCH)
    git(hosted.service, "switch", "--quiet", "--create", BRANCH, "FETCH_HEAD")
    git(hosted.service, "commit", "--quiet", "--allow-empty", "--message=Resolve")
    git(hosted.service, "push", "--quiet", "origin", BRANCH)
    git(hosted.service, "switch", "--quiet", "main")
    tip = hosted.tip
    releases.release("v1.2.0", SECOND)
    assert "has commits of somebody else" in hosted.run()
    assert (hosted.tip, hosted.requests) == (tip, [request])


def test_a_closed_pull_request_stays_closed_until_the_next_release(
    hosted: Hosted, releases: Repository
) -> None:
    """A closed pull request stays closed. The next release opens a new one."""
    releases.release("v1.1.0", FIRST)
    hosted.run()
    hosted.requests = [hosted.requests[0] | {"state": "CLOSED"}]
    assert "closed" in hosted.run()
    assert [one["state"] for one in hosted.requests] == ["CLOSED"]
    releases.release("v1.2.0", SECOND)
    hosted.run()
    assert [one["state"] for one in hosted.requests] == ["CLOSED", "OPEN"]


def test_a_branch_of_the_same_name_in_a_fork_is_ignored(
    hosted: Hosted, releases: Repository
) -> None:
    """A fork's pull request from a branch of the same name is not changed."""
    theirs = {
        "number": 1,
        "state": "OPEN",
        "isDraft": False,
        "isCrossRepository": True,
        "headRefOid": "0" * 40,
        "body": "Theirs.",
    }
    hosted.requests = [theirs]
    releases.release("v1.1.0", FIRST)
    hosted.run()
    assert hosted.requests[0] == theirs
    assert len(hosted.requests) == 2


def test_the_workflow_runs_the_script() -> None:
    """The workflow runs the command that these tests run."""
    path = ROOT / "template/.github/workflows/template-update.yml"
    [job] = yaml.safe_load(path.read_text())["jobs"].values()
    commands = "".join(step.get("run", "") for step in job["steps"])
    assert 'development/template.py propose --base="$GITHUB_REF_NAME"' in commands
    assert (ROOT / MAKEFILE).read_text().count("development/template.py") == 2
