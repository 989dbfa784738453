"""Only a release commit on main is tagged, and only after all its checks."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.git import git
from tests.support.history import RELEASE
from tests.support.rendering import ROOT

if TYPE_CHECKING:
    from pathlib import Path

TAGGING = ROOT / ".github/tag-releases"


@pytest.fixture(name="main")
def _main(tmp_path: Path) -> Path:
    """A clone with the release v1.0.0 as its first commit."""
    folder = tmp_path / "template"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(folder))
    commit(folder, "release: v1.0.0", section="v1.0.0")
    return folder


def commit(folder: Path, subject: str, section: str = "") -> None:
    """Commit on the current branch, with a section of the changelog if one is given."""
    if section:
        (folder / "CHANGELOG.md").write_text(f"# Changelog\n\n## {section}\n\nNews.\n")
        git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", f"--message={subject}")


def publish(folder: Path) -> None:
    """Push the current branch to the origin's main."""
    git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a clone."""
    return subprocess.run(
        [TAGGING, *options], cwd=folder, check=False, capture_output=True, text=True
    )


def refusal(folder: Path) -> str:
    """Return why HEAD is not tagged. Both commands must fail without creating a tag."""
    before = git(folder, "tag")
    checked, tagged = run(folder, "--check"), run(folder, "--head")
    assert (checked.returncode, tagged.returncode) == (1, 1)
    assert git(folder, "tag") == before
    assert checked.stderr == tagged.stderr
    return checked.stderr


def test_only_head_is_tagged(main: Path) -> None:
    """Earlier releases stay untagged, and a second run changes nothing."""
    commit(main, "release: v1.1.0", section="v1.1.0 - 2026-11-28")
    publish(main)
    assert run(main, "--check").stdout == "v1.1.0\n"
    assert git(main, "tag") == ""
    for _ in range(2):
        assert run(main, "--head").returncode == 0
        assert git(main, "tag", "--points-at", "HEAD") == git(main, "tag") == "v1.1.0"


@pytest.mark.parametrize(
    "subject", ["Fix it", "release: v1.1", "release: v01.1.0", "Revert release: v1.1.0"]
)
def test_a_commit_that_is_not_a_release_is_not_tagged(main: Path, subject: str) -> None:
    """The message says that it is not a release, and the script succeeds."""
    commit(main, subject, section="v1.1.0")
    assert run(main, "--check").stdout == "\n"
    assert run(main, "--head").returncode == 0
    assert git(main, "tag") == ""


def test_a_release_without_a_section_in_the_changelog_is_refused(main: Path) -> None:
    """The message says what to write. A section of another release does not count."""
    commit(main, "release: v1.1.0", section="v1.1.01")
    assert 'CHANGELOG.md has no section "## v1.1.0"' in refusal(main)


def test_a_branch_with_a_release_commit_is_not_a_release(main: Path) -> None:
    """It is not tagged on its branch, in a merge, or from the history."""
    publish(main)
    git(main, "switch", "--quiet", "--create=work")
    commit(main, "release: v1.1.0", section="v1.1.0")
    assert "not a first-parent commit of main" in refusal(main)
    git(main, "switch", "--quiet", "main")
    git(main, "merge", "--quiet", "--no-ff", "--message=Merge the work", "work")
    publish(main)
    assert run(main, "--head").returncode == run(main).returncode == 0
    assert git(main, "tag") == "v1.0.0"


def test_a_tag_never_moves(main: Path) -> None:
    """The same version twice is refused."""
    git(main, "tag", "v1.1.0")
    commit(main, "release: v1.1.0", section="v1.1.0")
    assert "that tag is on" in refusal(main)


def test_a_clone_gets_the_tags_of_its_history(
    main: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's git configuration of logs and tags does not matter. Wrong usage is refused."""
    (tmp_path / "gitconfig").write_text("[tag]\n\tgpgSign = true\n[log]\n\tshowSignature = true\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    for subject in ("release: v1.1.0", "Go on", "release: v1.2.0"):
        commit(main, subject)
    assert run(main).stderr == ""
    assert git(main, "tag").splitlines() == ["v1.0.0", "v1.1.0", "v1.2.0"]
    assert run(main, "--all").returncode == 2


def test_each_release_of_this_template_has_its_section() -> None:
    """A release commit without a section fails its own checks, so it is never tagged."""
    subjects = git(ROOT, "log", "--first-parent", "--format=%s").splitlines()
    changelog = (ROOT / "CHANGELOG.md").read_text()
    headings = set(re.findall(r"^## (\S+)", changelog, flags=re.MULTILINE))
    assert {match[1] for subject in subjects if (match := RELEASE.fullmatch(subject))} <= headings


def test_the_workflow_tags_after_all_checks() -> None:
    """The default checks and the session `release` must both pass on the commit itself."""
    workflow: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    jobs = workflow["jobs"]
    assert jobs["tag"]["needs"] == ["check", "release"]
    assert jobs["tag"]["if"] == "needs.release.outputs.name"
    assert commands(jobs["check"]) == [".ci/run"]
    assert commands(jobs["release"])[-1] == ".ci/run -s release"
    assert commands(jobs["tag"])[0] == ".github/tag-releases --head"
    writers = [name for name, job in jobs.items() if "write" in job["permissions"].values()]
    assert writers == ["tag"]


def commands(job: dict[str, Any]) -> list[str]:
    """List the commands of a job."""
    return [step["run"] for step in job["steps"] if "run" in step]
