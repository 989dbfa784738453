"""Updates do not depend on the user's git configuration, and change only committed files."""

from __future__ import annotations

import fcntl
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.files import replace
from tests.support.git import commit_all, git, status
from tests.support.releases import FIRST, MAKEFILE, NEW, OLD, SECOND
from tests.support.rendering import recorded
from tests.support.updater import ask, paste, printed_commands

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.releases import Repository

DOCTOR = "development/doctor.py"
OURS = "\n# our line  \n"
LATIN = b"# K\xfchlschrank\n"

SETTINGS = {
    "core.autocrlf": "true",
    "commit.gpgSign": "true",
    "merge.conflictStyle": "diff3",
    "status.showUntrackedFiles": "no",
    "diff.noprefix": "true",
    "core.quotePath": "false",
    "core.excludesFile": "{folder}/ignored",
    "core.hooksPath": "{folder}/hooks",
    "core.attributesFile": "{folder}/attributes",
}
"""Git settings of users, each of which alone once broke an update."""


def release_with_a_new_file(releases: Repository) -> None:
    """Release a template with a new file, and a changed line in its Makefile."""
    (releases.folder / "template" / DOCTOR).write_text('"""Look for what is wrong."""\n')
    releases.release("v1.1.0", FIRST)


@pytest.mark.parametrize("whitespace", ["error", pytest.param("fix", marks=pytest.mark.thorough)])
def test_an_update_does_not_depend_on_the_settings_of_git(
    updatable: Path, releases: Repository, tmp_path: Path, whitespace: str
) -> None:
    """With any git configuration, edits are merged, and the printed command commits all files."""
    (tmp_path / "ignored").write_text("doctor.py\n")
    (tmp_path / "attributes").write_text("* -diff\n")
    hook = tmp_path / "hooks/pre-commit"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\ngit diff --cached --name-only | xargs sed -i '1i # checked'\n")
    hook.chmod(0o755)
    with (updatable / "Makefile").open("a") as makefile:
        makefile.write(OURS)
    commit_all(updatable)
    release_with_a_new_file(releases)
    settings = tmp_path / "gitconfig"
    for name, text in {**SETTINGS, "apply.whitespace": whitespace}.items():
        git(tmp_path, "config", "--file", str(settings), name, text.format(folder=tmp_path))
    updated = ask(updatable, "update", GIT_CONFIG_GLOBAL=str(settings))
    assert updated.returncode == 0, updated.stdout + updated.stderr
    text = (updatable / "Makefile").read_text()
    assert OURS in text
    assert NEW in text
    [line] = printed_commands(updated.stdout)
    paste(updatable, line)
    assert git(updatable, "show", f"HEAD:{DOCTOR}").startswith('"""Look')
    assert status(updatable) == ""


@pytest.mark.parametrize("name", ["latin.mk", pytest.param("nul.mk", marks=pytest.mark.thorough)])
def test_files_that_are_not_text_stay_unchanged(
    updatable: Path, releases: Repository, name: str
) -> None:
    """Edits in any encoding are kept in files of the template."""
    for path in (".gitignore", "Makefile"):
        with (updatable / path).open("ab") as file:
            file.write(LATIN if name == "latin.mk" else b"# \0\n")
    commit_all(updatable)
    before = (updatable / ".gitignore").read_bytes()
    releases.release("v1.1.0", FIRST)
    updated = ask(updatable, "update")
    assert (updatable / ".gitignore").read_bytes() == before
    makefile = (updatable / "Makefile").read_bytes()
    if name == "latin.mk":
        assert updated.returncode == 0, updated.stderr
        assert makefile.endswith(LATIN)
        assert NEW.encode() in makefile
    else:  # git does not merge such files: the service's stays, and the conflict is reported
        assert updated.returncode == 2, updated.stderr
        assert makefile.endswith(b"# \0\n")
        assert "Makefile (unmerged)" in updated.stdout


def test_an_ignored_file_is_not_overwritten(updatable: Path, releases: Repository) -> None:
    """An ignored file at a new path stops the update. Without it, the update works."""
    (updatable / ".git/info/exclude").write_text("doctor.py\n")
    mine = updatable / DOCTOR
    mine.write_text("mine = True\n")
    release_with_a_new_file(releases)
    updated = ask(updatable, "update")
    assert (updated.returncode, updated.stdout, status(updatable)) == (1, "", "")
    assert DOCTOR in updated.stderr
    assert mine.read_text() == "mine = True\n"
    assert recorded(updatable)["_commit"] == "v1.0.0"
    mine.unlink()
    assert ask(updatable, "update", "--commit").returncode == 0
    assert git(updatable, "show", f"HEAD:{DOCTOR}").startswith('"""Look')


def test_changes_that_git_overlooks_are_kept(updatable: Path, releases: Repository) -> None:
    """Changes in a file flagged as "assume unchanged" are detected."""
    git(updatable, "update-index", "--assume-unchanged", "Makefile")
    before = (updatable / "Makefile").read_text()
    (updatable / "Makefile").write_text(before + "# mine\n")
    releases.release("v1.1.0", FIRST)
    updated = ask(updatable, "update")
    assert (updated.returncode, updated.stdout) == (1, "")
    assert "  Makefile" in updated.stderr.splitlines()
    assert (updatable / "Makefile").read_text() == before + "# mine\n"
    (updatable / "Makefile").write_text(before)
    assert ask(updatable, "update", "--commit").returncode == 0
    assert NEW in git(updatable, "show", "HEAD:Makefile")


@pytest.mark.thorough
def test_a_sparse_checkout_gets_the_whole_release(updatable: Path, releases: Repository) -> None:
    """In a sparse checkout, changes outside of it are committed too."""
    git(
        updatable,
        "sparse-checkout",
        "set",
        "--no-cone",
        "/*",
        "!/development/doctor.py",
        "!Makefile",
    )
    assert not (updatable / "Makefile").exists()
    release_with_a_new_file(releases)
    updated = ask(updatable, "update")
    assert updated.returncode == 0, updated.stderr
    [line] = printed_commands(updated.stdout)
    paste(updatable, line)
    assert NEW in git(updatable, "show", "HEAD:Makefile")
    assert git(updatable, "show", f"HEAD:{DOCTOR}").startswith('"""Look')


@pytest.mark.thorough
def test_an_alias_in_a_worktree_does_not_affect_the_main_repository(
    updatable: Path, releases: Repository, tmp_path: Path
) -> None:
    """An update in a git alias does not affect the worktree's main repository."""
    tree = tmp_path / "tree"
    git(updatable, "worktree", "add", "--quiet", str(tree), "-b", "topic")
    before = git(tree, "rev-parse", "HEAD")
    releases.release("v1.1.0", FIRST)
    where = git(tree, "rev-parse", "--absolute-git-dir")
    updated = ask(tree, "update", GIT_DIR=where, GIT_WORK_TREE=str(tree), GIT_PREFIX="")
    assert updated.returncode == 0, updated.stderr
    assert git(tree, "rev-parse", "topic", "HEAD").splitlines() == [before, before]
    assert NEW in (tree / "Makefile").read_text()


def test_other_services_of_a_repository_do_not_change(releases: Repository, tmp_path: Path) -> None:
    """Changes outside the service, and `.rej` files, are kept."""
    shop = tmp_path / "shop"
    for name in ("billing", "orders"):
        releases.service(shop / name)
        subprocess.run(["rm", "-rf", str(shop / name / ".git")], check=True)
    commit_all(shop)
    (shop / ".git/info/exclude").write_text("*.rej\n")
    billing = shop / "billing"
    (billing / "pyproject.toml").unlink()
    for place in (billing, shop / "orders"):
        (place / "Makefile.rej").write_text("data\n")
    (billing / "Makefile").write_text("work in progress\n")
    releases.release("v1.1.0", FIRST)
    updated = ask(shop / "orders", "update")
    assert updated.returncode == 0, updated.stderr
    assert NEW in (shop / "orders/Makefile").read_text()
    assert not (billing / "pyproject.toml").exists()
    assert (billing / "Makefile").read_text() == "work in progress\n"
    assert [(shop / name / "Makefile.rej").read_text() for name in ("billing", "orders")] == [
        "data\n"
    ] * 2


def test_links_of_the_service_stay(updatable: Path, releases: Repository, tmp_path: Path) -> None:
    """An update never writes through a link."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (updatable / "docs").symlink_to(outside)
    (updatable / "ours.mk").write_text((updatable / "Makefile").read_text())
    (updatable / "Makefile").unlink()
    (updatable / "Makefile").symlink_to("ours.mk")
    commit_all(updatable)
    before = (updatable / "ours.mk").read_text()
    (releases.folder / "template/docs/template").mkdir(parents=True)
    (releases.folder / "template/docs/template/guide.md").write_text("# Guide\n")
    releases.release("v1.1.0", FIRST)
    updated = ask(updatable, "update")
    assert updated.returncode == 0, updated.stderr
    assert list(outside.iterdir()) == []
    assert (updatable / "docs").is_symlink()
    assert (updatable / "Makefile").is_symlink()
    assert (updatable / "ours.mk").read_text() == before
    assert "docs/template/guide.md was not updated" in updated.stdout


def test_a_failed_update_restores_every_file(updatable: Path, releases: Repository) -> None:
    """If writing fails, the files and the recorded release are restored."""
    replace(updatable / "Makefile", OLD, "## Ours")
    commit_all(updatable)
    release_with_a_new_file(releases)
    lock = updatable / ".git/index.lock"
    lock.touch()
    updated = ask(updatable, "update")
    assert updated.returncode == 1
    assert "index.lock" in updated.stderr
    lock.unlink()
    assert status(updatable) == ""
    assert not (updatable / DOCTOR).exists()
    assert recorded(updatable)["_commit"] == "v1.0.0"
    assert ask(updatable, "update").returncode == 2


def test_two_updates_at_once_are_refused(updatable: Path, releases: Repository) -> None:
    """A second update at the same time is refused."""
    releases.release("v1.1.0", FIRST)
    with (updatable / ".git/TEMPLATE_UPDATE_LOCK").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        updated = ask(updatable, "update")
        assert (updated.returncode, updated.stdout, status(updatable)) == (1, "", "")
        assert "Another update is running" in updated.stderr
    assert ask(updatable, "update").returncode == 0


@pytest.mark.thorough
def test_a_conflict_in_a_renamed_file_can_be_undone(updatable: Path, releases: Repository) -> None:
    """The printed commands also undo a conflict in a renamed file."""
    old, new = "development/__init__.py", "development/renamed.py"
    (updatable / old).write_text('"""Ours."""\n')
    commit_all(updatable)
    (releases.folder / "template" / old).rename(releases.folder / "template" / new)
    (releases.folder / "template" / new).write_text('"""Theirs."""\n')
    table = "RENAMES: Final[Mapping[str, str]] = {"
    releases.replace("migrations/files.py", table, f'{table}\n    "{old}": "{new}",')
    releases.release("v1.1.0", FIRST)
    updated = ask(updatable, "update")
    assert updated.returncode == 2, updated.stderr
    assert f"  {new}:1" in updated.stdout.splitlines()
    assert f"  Moved your changes of {old} to {new}." in updated.stdout.splitlines()
    for line in printed_commands(updated.stdout)[1:]:
        paste(updatable, line)
    assert status(updatable) == ""
    assert (updatable / old).read_text() == '"""Ours."""\n'


@pytest.mark.thorough
def test_gits_own_reason_is_shown(updatable: Path) -> None:
    """Errors contain git's own reason. A missing answers file is reported."""
    updated = ask(updatable, "update", GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
    assert (updated.returncode, updated.stdout) == (1, "")
    assert "dubious ownership" in updated.stderr
    git(updatable, "mv", ".copier-answers.yml", ".copier-answers.orders.yml")
    commit_all(updatable)
    updated = ask(updatable, "update")
    assert "The last commit has no .copier-answers.yml" in updated.stderr


@pytest.mark.thorough
def test_the_output_of_a_hook_is_shown(updatable: Path, releases: Repository) -> None:
    """If a hook refuses the commit, the message shows its output and what to do."""
    hook = updatable / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho not on a Saturday\nexit 1\n")
    hook.chmod(0o755)
    releases.release("v1.1.0", FIRST)
    updated = ask(updatable, "update", "--commit")
    assert updated.returncode == 3
    assert "not on a Saturday" in updated.stderr
    commit, *back = printed_commands(updated.stderr)
    assert commit.startswith("git add --all . && git commit")
    for line in back:
        paste(updatable, line)
    assert status(updatable) == ""


@pytest.mark.thorough
def test_a_clone_without_tags_is_compared_by_commit(updatable: Path, releases: Repository) -> None:
    """A recorded commit without a tag is compared by its place in the history."""
    releases.replace(MAKEFILE, OLD, NEW)
    commit_all(releases.folder)
    commit = git(releases.folder, "rev-parse", "--short", "HEAD")
    replace(updatable / ".copier-answers.yml", "_commit: v1.0.0", f"_commit: '{commit}'")
    commit_all(updatable)
    checked = ask(updatable, "check")
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.startswith("Ahead of the template")
    releases.release("v1.1.0", SECOND)
    assert ask(updatable, "check").stdout.startswith("Behind by 1 release:")


@pytest.mark.thorough
def test_the_lock_file_of_a_workspace_is_reported(
    updatable: Path, releases: Repository, tmp_path: Path
) -> None:
    """The update reports a workspace's lock file outside the service."""
    shop = tmp_path / "shop"
    shop.mkdir()
    subprocess.run(["rm", "-rf", str(updatable / ".git")], check=True)
    service = updatable.rename(shop / "orders")
    (shop / "uv.lock").write_text("# the workspace's\n")
    commit_all(shop)
    project = releases.folder / "template/pyproject.toml.jinja"
    replace(project, '"structlog>=26.1"', '"structlog>=26.1,<28"')
    releases.release("v1.1.0", FIRST)
    updated = ask(service, "update")
    assert updated.returncode == 0, updated.stderr
    assert "../uv.lock" in updated.stdout
    assert (shop / "uv.lock").read_text() == "# the workspace's\n"


def test_data_of_a_removed_feature_stays_ignored(updatable: Path, releases: Repository) -> None:
    """Data of a removed feature stays ignored, and is reported."""
    releases.replace("template/.gitignore.jinja", ".cache/\n", ".elsewhere/\n")
    (updatable / ".cache").mkdir()
    (updatable / ".cache/password").write_text("secret")
    releases.release("v1.1.0", FIRST)
    updated = ask(updatable, "update")
    assert updated.returncode == 0, updated.stderr
    assert ".cache/ is still on this machine" in updated.stdout
    paste(updatable, "git add --all .")
    assert ".cache" not in git(updatable, "status", "--porcelain", "--untracked-files=all")
