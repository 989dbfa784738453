"""`make template-update` applies a release, reports the changes, and can be undone."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pexpect
import pytest

from tests.support.environment import PERSON, environment
from tests.support.files import replace
from tests.support.git import commit_all, git, status
from tests.support.releases import FIRST, GREEN, MAKEFILE, NEW, NEWER, OLD, RED, SECOND, SUITE
from tests.support.rendering import recorded
from tests.support.updater import ask, command, paste, printed_commands

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.releases import Repository


def test_a_newer_release_is_applied_and_committed_as_printed(
    updatable: Path, releases: Repository
) -> None:
    """The printed command commits the update. Its message contains the changelog."""
    releases.release("v1.1.0", FIRST, news="# One\n\n- a point")
    releases.release("v1.2.0", SECOND, news="Two.")
    updated = ask(updatable, "update")
    assert updated.returncode == 0, updated.stderr
    assert NEWER in (updatable / "Makefile").read_text()
    [commit] = printed_commands(updated.stdout)
    paste(updatable, commit)
    assert status(updatable) == ""
    assert git(updatable, "log", "-1", "--format=%B").strip() == (
        "Update from the template: v1.0.0 to v1.2.0\n\nv1.2.0\n\nTwo.\n\n"
        "v1.1.0\n\n# One\n\n- a point"
    )
    assert ask(updatable, "check").returncode == 0


@pytest.mark.parametrize("name", ["v1.1.0", "1.1"])
def test_an_update_can_stop_at_an_earlier_release(
    updatable: Path, releases: Repository, name: str
) -> None:
    """`--to` selects a release, with or without its `v`. Later releases can follow."""
    releases.release("v1.1.0", FIRST)
    releases.release("v1.2.0", SECOND)
    updated = ask(updatable, "update", f"--to={name}")
    assert updated.returncode == 0, updated.stderr
    assert "v1.2.0" not in updated.stdout
    assert NEW in (updatable / "Makefile").read_text()
    assert ask(updatable, "check").returncode == 2


def test_conflicts_are_listed_with_their_files(updatable: Path, releases: Repository) -> None:
    """Conflicts are marked and listed, the status is 2, and the update can be undone."""
    replace(updatable / "Makefile", OLD, "## Ours")
    replace(updatable / "Makefile", "## List these targets", "## Help")
    commit_all(updatable)
    releases.replace(MAKEFILE, "## List these targets", "## List all targets")
    releases.release("v1.1.0", FIRST)
    updated = ask(updatable, "update", "--commit")
    assert updated.returncode == 2
    lines = (updatable / "Makefile").read_text().splitlines()
    marked = [number for number, line in enumerate(lines, 1) if line.startswith("<<<<<<< ")]
    assert len(marked) == 2
    assert [line for line in updated.stdout.splitlines() if "Makefile:" in line] == [
        f"  Makefile:{number}" for number in marked
    ]
    _, *back = printed_commands(updated.stdout)
    for line in back:
        paste(updatable, line)
    assert status(updatable) == ""
    assert "## Ours" in (updatable / "Makefile").read_text()
    assert ask(updatable, "update").returncode == 2


def test_uncommitted_changes_stop_an_update(updatable: Path, releases: Repository) -> None:
    """Uncommitted changes and untracked files stop an update, and the message lists them."""
    releases.release("v1.1.0", FIRST)
    git(updatable, "config", "status.showUntrackedFiles", "no")
    (updatable / "notes.txt").write_text("ours")
    updated = ask(updatable, "update")
    assert (updated.returncode, updated.stdout) == (1, "")
    assert "notes.txt" in updated.stderr
    assert git(updatable, "status", "--porcelain", "--untracked-files") == "?? notes.txt"


@pytest.mark.parametrize("started", [False, True])
def test_an_update_needs_a_repository_with_a_commit(updatable: Path, *, started: bool) -> None:
    """Without a commit, an update stops and says what to do."""
    shutil.rmtree(updatable / ".git")
    if started:
        git(updatable, "init", "--quiet")
    updated = ask(updatable, "update")
    assert (updated.returncode, updated.stdout) == (1, "")
    assert "commit this service" in updated.stderr


def test_a_release_name_is_not_run_as_code(updatable: Path) -> None:
    """An unknown release is a one-line error, even if it contains shell code."""
    name = "v9'; touch one $(shell touch two) $$(touch three) `touch four` \""
    updated = subprocess.run(
        ["make", "template-update", f"to={name}"],
        cwd=updatable,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environment(),
    )
    assert updated.returncode == 2
    assert f"The template has no release {name!r}. It has: v1.0.0" in updated.stderr.splitlines()
    assert status(updatable) == ""


def test_a_downgrade_is_refused(updatable: Path, releases: Repository) -> None:
    """An update to an older release is refused."""
    releases.release("v1.1.0", FIRST)
    assert ask(updatable, "update", "--commit").returncode == 0
    updated = ask(updatable, "update", "--to=v1.0.0")
    assert (updated.returncode, updated.stdout) == (1, "")
    assert "v1.0.0 is older" in updated.stderr
    assert status(updatable) == ""


def test_a_service_from_an_unreleased_commit_is_updated(
    releases: Repository, tmp_path: Path
) -> None:
    """The update works and reports the commit. If the template lost the commit, it fails."""
    releases.replace(MAKEFILE, OLD, NEW)
    commit_all(releases.folder)
    described = git(releases.folder, "describe", "--tags").strip()
    service = releases.service(tmp_path / "early", "HEAD")
    assert recorded(service)["_commit"] == described
    releases.release("v1.1.0", SECOND)
    updated = ask(service, "update")
    assert updated.returncode == 0, updated.stderr
    assert f"made from {described}, which is not a release" in updated.stdout
    git(service, "checkout", "--", ".")
    replace(service / ".copier-answers.yml", described, "v1.0.0-7-g1234567")
    commit_all(service)
    updated = ask(service, "update")
    assert (updated.returncode, updated.stdout, status(service)) == (1, "", "")
    assert "v1.0.0-7-g1234567, which the template no longer has" in updated.stderr


def test_a_shallow_clone_of_a_service_is_updated(
    updatable: Path, releases: Repository, tmp_path: Path
) -> None:
    """An update needs only the service's last commit."""
    git(updatable, "commit", "--quiet", "--allow-empty", "--message=Another")
    releases.release("v1.1.0", FIRST)
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{updatable}", str(shallow))
    assert ask(shallow, "update").returncode == 0
    assert NEW in (shallow / "Makefile").read_text()


def test_a_service_may_be_a_folder_of_a_larger_repository(
    updatable: Path, releases: Repository, tmp_path: Path
) -> None:
    """In a folder of a repository, an update ignores changes outside the folder."""
    shutil.rmtree(updatable / ".git")
    parent = tmp_path / "services"
    parent.mkdir()
    service = updatable.rename(parent / "orders")
    replace(service / "Makefile", OLD, "## Ours")
    commit_all(parent)
    (parent / "beside.txt").write_text("work in progress")
    releases.release("v1.1.0", FIRST)
    updated = ask(service, "update")
    assert updated.returncode == 2, updated.stderr
    assert "\n  Makefile:" in updated.stdout
    for line in printed_commands(updated.stdout)[1:]:
        paste(service, line)
    assert status(parent) == "?? beside.txt"


def test_changed_answers_and_deleted_files_are_listed(
    updatable: Path, releases: Repository
) -> None:
    """The output lists new answers, changed answers and deleted files."""
    releases.replace(
        "copier.yml",
        "problem('author_name') }}\"",
        "problem('author_name') or ('Say who' if author_name == 'Service Team' else '') }}\"",
    )
    releases.replace("copier.yml", '  default: "Service Team"', '  default: "Platform Team"')
    releases.replace(
        "copier.yml",
        "# Computed from",
        "region:\n  type: str\n  help: Where?\n  default: north\n\n# Computed from",
    )
    (releases.folder / "template/.gitignore.jinja").unlink()
    releases.release("v1.1.0", FIRST)
    updated = ask(updatable, "update")
    assert updated.returncode == 0, updated.stderr
    lines = updated.stdout.splitlines()
    assert '  author_name: "Service Team" -> "Platform Team"' in lines
    assert '  region: "north" (new)' in lines
    assert "  .gitignore" in lines
    assert recorded(updatable)["region"] == "north"


def test_the_lock_file_contains_new_dependencies(updatable: Path, releases: Repository) -> None:
    """After an update that adds a dependency, `uv sync --locked` still works."""
    lock = ["uv", "lock", "--quiet"]
    subprocess.run(lock, cwd=updatable, check=True, env=environment())
    commit_all(updatable)
    releases.replace(
        "template/pyproject.toml.jinja",
        '    "uuid-utils>=1.2",',
        '    "uuid-utils>=1.2",\n    "idna>=3",',
    )
    releases.release("v1.1.0", FIRST)
    updated = ask(updatable, "update")
    assert updated.returncode == 0, updated.stderr
    assert " M uv.lock" in status(updatable).splitlines()
    subprocess.run([*lock, "--check"], cwd=updatable, check=True, env=environment())


def test_an_update_may_replace_the_running_script(updatable: Path, releases: Repository) -> None:
    """The running script finishes even if the release replaces its files."""
    development = releases.folder / "template/development"
    shutil.rmtree(development / "updating")
    (development / "template.py").write_text("raise SystemExit('the new script')\n")
    for library in ("json", "yaml", "jinja2", "copier", "subprocess"):
        (development / f"{library}.py").write_text("raise SystemExit('no library')\n")
    replace(updatable / "Makefile", OLD, "## Ours")
    commit_all(updatable)
    releases.release("v1.1.0", FIRST, news="Rewritten.")
    updated = ask(updatable, "update")
    assert updated.returncode == 2, updated.stderr
    assert "\n  Makefile:" in updated.stdout
    assert not list((updatable / "development/updating").glob("*.py"))
    assert ask(updatable, "check").stderr == "the new script\n"


def test_the_new_releases_tests_run(updatable: Path, releases: Repository) -> None:
    """With `--test --commit`, failing tests prevent the commit, and the status is 3."""
    releases.release("v1.1.0", {MAKEFILE: (SUITE, GREEN)})
    updated = ask(updatable, "update", "--test", "--commit")
    assert updated.returncode == 0, updated.stderr
    assert "the tests pass" in updated.stdout
    assert status(updatable) == ""
    releases.release("v1.2.0", {MAKEFILE: (GREEN, RED)})
    updated = ask(updatable, "update", "--test", "--commit")
    assert updated.returncode == 3
    assert "the tests fail" in updated.stdout
    for line in printed_commands(updated.stderr):
        paste(updatable, line)
    assert status(updatable) == ""
    assert GREEN in (updatable / "Makefile").read_text()


def test_the_update_asks_in_a_terminal_whether_to_run_the_tests(
    updatable: Path, releases: Repository
) -> None:
    """In a terminal, the update asks new questions and whether to run the tests."""
    releases.replace(
        "copier.yml",
        "# Computed from",
        "region:\n  type: str\n  help: Where?\n  default: north\n\n# Computed from",
    )
    releases.release("v1.1.0", {MAKEFILE: (SUITE, GREEN)})
    program, *arguments = command(updatable, "update")
    with pexpect.spawn(program, arguments, env=os.environ | PERSON, encoding="utf-8") as terminal:
        terminal.expect("Where")
        terminal.sendline("-west")
        terminal.expect("Run the service's tests now")
        terminal.sendline("y")
        terminal.expect("the tests pass")
        terminal.expect(pexpect.EOF)
        terminal.wait()
    assert terminal.exitstatus == 0
    assert recorded(updatable)["region"] == "north-west"


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("at once", signal.SIGINT),
        ("amid the files", signal.SIGKILL),
        pytest.param("at random", signal.SIGKILL, marks=pytest.mark.thorough),
    ],
)
def test_a_killed_update_can_be_undone_and_repeated(
    updatable: Path, releases: Repository, number: signal.Signals, moment: str
) -> None:
    """After a killed update, the repository is intact, and the next run says how to undo it."""
    replace(updatable / "Makefile", "## List these targets", "## Ours")
    commit_all(updatable)
    releases.release("v1.1.0", FIRST)
    head = git(updatable, "rev-parse", "HEAD")
    # A shell's background jobs ignore SIGINT, and so would all processes that these tests start.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        command(updatable, "update"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    signal.signal(signal.SIGINT, inherited)
    with process:
        note, makefile = updatable / ".git/TEMPLATE_UPDATE", updatable / "Makefile"
        while process.poll() is None and not note.exists():
            time.sleep(0.01)
        if moment == "at random":
            time.sleep(random.uniform(0, 3))  # noqa: S311 - any moment will do
        while (
            moment == "amid the files"
            and process.poll() is None
            and NEW not in makefile.read_text()
        ):
            time.sleep(0.01)
        if process.poll() is None:
            os.killpg(process.pid, number)
    assert git(updatable, "rev-parse", "HEAD") == head
    git(updatable, "fsck", "--strict")
    if process.returncode == 0:  # the update was done before the signal came
        assert NEW in makefile.read_text()
        commit_all(updatable)
    # The update may have reverted its changes by then, or have written the last of them.
    halfway = note.exists() and status(updatable) != ""
    again = ask(updatable, "update")
    assert ("An update from v1.0.0 to v1.1.0 was interrupted here" in again.stderr) == halfway
    if again.returncode == 1:
        for line in printed_commands(again.stderr):
            paste(updatable, line)
        assert status(updatable) == ""
        again = ask(updatable, "update")
    assert again.returncode == 0, again.stderr
    assert "## Ours" in makefile.read_text()
    assert NEW in makefile.read_text()


def test_wrong_usage_is_not_reported_as_a_conflict(updatable: Path) -> None:
    """Wrong usage is status 1, because 2 means conflicts."""
    assert ask(updatable, "update", "--unknown").returncode == 1
    assert ask(updatable, "chekc").returncode == 1


def test_the_report_fits_into_a_pull_request(updatable: Path, releases: Repository) -> None:
    """The report lists conflicts first, then the changelog, cut at GitHub's limit."""
    replace(updatable / "Makefile", OLD, "## Ours")
    commit_all(updatable)
    releases.release("v1.1.0", FIRST, news="A long story. " * 10_000)
    report = updatable.with_name("report.md")
    assert ask(updatable, "update", f"--report={report}").returncode == 2
    text = report.read_text()
    assert len(text) == 65_536
    assert text.startswith("## In conflict\n\n- `Makefile:")
    assert "\n## v1.1.0\n\nA long story." in text
    assert text.endswith("The rest is in the template's changelog.\n")
