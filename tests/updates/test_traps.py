"""Failures of updates leave the service intact, and the messages say what to do."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from copier.errors import TaskError, UserMessageError

from tests.support.git import commit_all, git
from tests.support.history import ShallowHistoryError, releases
from tests.support.releases import Repository
from tests.support.rendering import ROOT
from tests.support.services import ANSWERS, Service

if TYPE_CHECKING:
    from pathlib import Path

MAKEFILE = "template/Makefile.jinja"
OLD, NEW = "## Remove caches", "## Remove what tools leave behind"
KILLS = 4


@pytest.fixture(name="orders")
def _orders(upstream: Repository, tmp_path: Path) -> Service:
    """A service of the release v1.0.0."""
    return Service.copy(upstream, tmp_path / "orders", "v1.0.0", postgres=False)


def test_work_that_is_not_committed_stops_an_update(orders: Service, upstream: Repository) -> None:
    """Uncommitted changes stop an update, and the message says so."""
    upstream.release("v1.1.0", {MAKEFILE: (OLD, NEW)})
    orders.write("notes.txt", "ours")
    with pytest.raises(UserMessageError, match="commit or stash"):
        orders.update()
    assert orders.changes == "?? notes.txt"


@pytest.mark.parametrize("how", ["given", "moved"])
def test_a_package_keeps_its_name(
    orders: Service, upstream: Repository, capfd: pytest.CaptureFixture[str], how: str
) -> None:
    """An update refuses another package name and a package folder that was renamed."""
    upstream.release("v1.1.0", {MAKEFILE: (OLD, NEW)})
    if how == "moved":
        orders.git("mv", "orders", "shop")
        orders.commit()
    with pytest.raises(TaskError):
        orders.update(**({"package_name": "shop"} if how == "given" else {}))
    assert "package_name: " in capfd.readouterr().err
    assert orders.changes == ""


def test_work_beside_a_service_stops_a_plain_update(
    upstream: Repository, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A plain `copier update` is refused then. `make template-update` works."""
    shop = Service(tmp_path / "shop")
    orders = Service.copy(upstream, shop.folder / "orders", "v1.0.0", postgres=False)
    orders.forget_history()
    shop.write("billing/notes.txt", "before")
    shop.commit()
    shop.write("billing/notes.txt", "work in progress")
    upstream.release("v1.1.0", {MAKEFILE: (OLD, NEW)})
    with pytest.raises(TaskError):
        orders.update()
    assert "billing/notes.txt" in capfd.readouterr().err
    assert shop.changes.strip() == "M billing/notes.txt"


def test_a_shallow_clone_of_a_service_updates(
    orders: Service, upstream: Repository, tmp_path: Path
) -> None:
    """A shallow clone with one commit can be updated, as in CI."""
    orders.replace("Makefile", "help: ## List these targets", "help: ## List them")
    orders.commit()
    upstream.release("v1.1.0", {MAKEFILE: (OLD, NEW)})
    clone = Service(tmp_path / "clone")
    orders.git("clone", "--quiet", "--depth=1", orders.folder.as_uri(), str(clone.folder))
    clone.update()
    assert clone.conflicts == []
    assert NEW in clone.read("Makefile")
    assert "help: ## List them" in clone.read("Makefile")


def test_commits_that_are_not_released_come_only_when_asked_for(
    orders: Service, upstream: Repository
) -> None:
    """The default is the newest release. A service of a later commit updates to the next one."""
    upstream.replace(MAKEFILE, OLD, "## Not released")
    commit_all(upstream.folder)
    orders.update()
    assert orders.changes == ""
    orders.update("HEAD")
    assert "## Not released" in orders.read("Makefile")
    assert str(orders.answers["_commit"]).startswith("v1.0.0-1-g")
    orders.commit()
    upstream.release("v1.1.0", {MAKEFILE: ("## Not released", NEW)})
    orders.update()
    assert (orders.conflicts, orders.answers["_commit"]) == ([], "v1.1.0")
    assert NEW in orders.read("Makefile")


def test_a_downgrade_is_refused(orders: Service, upstream: Repository) -> None:
    """An older release is refused with a reason, and changes nothing."""
    upstream.release("v1.1.0", {MAKEFILE: (OLD, NEW)})
    orders.update()
    orders.commit()
    with pytest.raises(UserMessageError, match=r"downgrading from 1\.1\.0 to 1\.0\.0"):
        orders.update("v1.0.0")
    assert orders.changes == ""


def test_a_template_that_moved_is_found_at_its_new_address(
    orders: Service, upstream: Repository
) -> None:
    """With the old address an update fails, and with the new one it works."""
    upstream.release("v1.1.0", {MAKEFILE: (OLD, NEW)})
    moved = Repository(upstream.folder.rename(upstream.folder.with_name("moved")))
    with pytest.raises(UserMessageError):
        orders.update()
    assert orders.changes == ""
    orders.replace(ANSWERS, str(upstream.folder), str(moved.folder))
    orders.commit()
    orders.update()
    assert orders.conflicts == []
    assert NEW in orders.read("Makefile")
    assert orders.answers["_src_path"] == str(moved.folder)


def test_the_extension_of_each_release_renders_its_own_side(
    orders: Service, upstream: Repository
) -> None:
    """Each release is rendered with its own version of the extension."""
    extension, config = "extensions/answers.py", upstream.folder / "copier.yml"
    for path in (upstream.folder / extension, config):
        text = path.read_text()
        assert "human_name" in text
        path.write_text(text.replace("human_name", "title_name"))
    project = "template/pyproject.toml.jinja"
    upstream.replace(project, 'name = "{{ project_slug }}"', 'name = "{{ "Orders" | slug }}"')
    upstream.replace(
        "template/compose.yaml.jinja",
        "name: {{ project_slug }}",
        "name: {{ project_slug | title_name | lower }}-app",
    )
    upstream.release("v1.1.0")
    orders.update()
    assert orders.conflicts == []
    assert "name: orders-app\n" in orders.read("compose.yaml")


def test_an_update_that_is_killed_can_be_undone_and_made_again(
    orders: Service, upstream: Repository, tmp_path: Path
) -> None:
    """After a killed update, git can restore the files, and an update works."""
    orders.replace("orders/main.py", '"""Puts the', '"""Ours puts the')
    orders.commit()
    upstream.replace("template/{{ package_name }}/main.py.jinja", '"""Puts the', '"""Now puts the')
    upstream.release("v1.1.0", {MAKEFILE: (OLD, NEW)})
    reference = Service(shutil.copytree(orders.folder, tmp_path / "reference" / "orders"))
    started = time.monotonic()
    assert killed(reference, tmp_path, after=None) == 0
    duration = time.monotonic() - started
    before = orders.texts
    for number in range(KILLS):
        moment = random.uniform(number, number + 1) / KILLS * duration  # noqa: S311 -- no secret
        killed(orders, tmp_path, after=moment)
        (orders.folder / ".git/index.lock").unlink(missing_ok=True)
        orders.git("fsck", "--strict")
        orders.git("reset", "--hard", "--quiet")
        orders.git("clean", "-fdq")
        assert (orders.changes, orders.texts) == ("", before), f"killed after {moment:.2f} s"
    assert killed(orders, tmp_path, after=None) == 0
    assert orders.conflicts == ["orders/main.py"]
    assert orders.texts == reference.texts


def killed(service: Service, scratch: Path, after: float | None) -> int:
    """Update a service in another process, kill it after a time, and return its status."""
    command = [sys.executable, "-m", "copier", "update", "--trust", "--defaults", "--quiet"]
    process = subprocess.Popen(
        command,
        cwd=service.folder,
        env=os.environ | {"TMPDIR": str(scratch)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(timeout=after)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def test_a_shallow_clone_of_the_template_is_told_from_one_without_releases(
    tmp_path: Path,
) -> None:
    """The message gives the cause and the command to fix it."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--depth=1", ROOT.as_uri(), clone)
    with pytest.raises(ShallowHistoryError, match="git fetch --unshallow"):
        releases(clone)


def test_releases_are_read_from_the_subjects_of_the_history(tmp_path: Path) -> None:
    """Only commits with exactly the subject of a release count, oldest first."""
    subjects = [
        "release: v1.0.0",
        "Mend it",
        "release: v1.1",
        "release: v1.0.1 ",
        "release: v2.0.0",
    ]
    commit_all(tmp_path)
    for subject in subjects:
        commit_all(tmp_path, subject=subject)
    assert releases(tmp_path) == ["v1.0.0", "v1.0.1", "v2.0.0"]
    subprocess.run([ROOT / ".github/tag-releases"], cwd=tmp_path, check=True)
    assert git(tmp_path, "tag").splitlines() == releases(tmp_path)
