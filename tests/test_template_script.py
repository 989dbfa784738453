"""A service asks its template for news, and brings them in; scripts can trust the status."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rendering import commit_all, render

MAKEFILE = Path("template/Makefile.jinja")
OLD, NEW = "## Remove caches", "## Remove what tools leave behind"


@pytest.fixture(name="releases")
def _releases(template: Path, tmp_path: Path) -> Path:
    """A repository of the template with the release v1.0.0."""
    copied = shutil.copytree(template, tmp_path / "releases")
    commit_all(copied, tag="v1.0.0")
    return copied


@pytest.fixture(name="orders")
def _orders(releases: Path, tmp_path: Path) -> Path:
    """A service made from that release, committed."""
    service = render(releases, tmp_path / "orders", postgres=False)
    commit_all(service)
    return service


def release(releases: Path, tag: str, old: str, new: str) -> None:
    """Release a template whose Makefile says something else."""
    replace(releases / MAKEFILE, old, new)
    commit_all(releases, tag=tag)


def replace(path: Path, old: str, new: str) -> None:
    """Change a file that holds the old words."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def ask(service: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the service's script with the copier of these tests."""
    command = [sys.executable, str(service / "development/template.py"), *arguments]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


def status(service: Path) -> str:
    """Say what git sees changed in a service."""
    command = ["git", "status", "--porcelain"]
    return subprocess.run(command, cwd=service, check=True, capture_output=True, text=True).stdout


def test_a_service_at_the_newest_release_is_up_to_date(orders: Path) -> None:
    """Nothing newer is status 0, and an update then changes nothing."""
    checked = ask(orders, "check")
    assert (checked.returncode, "1.0.0" in checked.stdout) == (0, True)
    assert ask(orders, "update").returncode == 0
    assert status(orders) == ""


def test_a_newer_release_is_named_and_brought_in(orders: Path, releases: Path) -> None:
    """A release that a service lacks is status 2; updated to it, the service lacks none."""
    release(releases, "v1.1.0", OLD, NEW)
    checked = ask(orders, "check")
    assert (checked.returncode, "1.1.0" in checked.stdout) == (2, True)
    updated = ask(orders, "update")
    assert updated.returncode == 0, updated.stderr
    assert NEW in (orders / "Makefile").read_text()
    assert ask(orders, "check").returncode == 0


def test_an_update_stops_at_the_release_that_is_named(orders: Path, releases: Path) -> None:
    """A release may be passed over, and brought in later."""
    release(releases, "v1.1.0", OLD, NEW)
    release(releases, "v1.2.0", NEW, "## Tidy up")
    assert ask(orders, "update", "--to=v1.1.0").returncode == 0
    assert NEW in (orders / "Makefile").read_text()
    assert ask(orders, "check").returncode == 2


def test_conflicts_are_named_and_told_by_the_status(orders: Path, releases: Path) -> None:
    """A line that both sides changed is marked, its file is named, and the status is 2."""
    replace(orders / "Makefile", OLD, "## Ours")
    commit_all(orders)
    release(releases, "v1.1.0", OLD, NEW)
    updated = ask(orders, "update")
    assert updated.returncode == 2
    assert updated.stdout.splitlines()[1:] == ["  Makefile"]
    assert "<<<<<<< before updating" in (orders / "Makefile").read_text()


def test_work_that_is_not_committed_is_never_mixed_in(orders: Path, releases: Path) -> None:
    """An update names the changes that are in its way, and makes none."""
    release(releases, "v1.1.0", OLD, NEW)
    (orders / "notes.txt").write_text("ours")
    updated = ask(orders, "update")
    assert (updated.returncode, updated.stdout) == (1, "")
    assert "notes.txt" in updated.stderr
    assert status(orders) == "?? notes.txt\n"


def test_an_update_needs_a_repository(orders: Path) -> None:
    """Without git nothing could be merged, and the message says what to do."""
    shutil.rmtree(orders / ".git")
    updated = ask(orders, "update")
    assert (updated.returncode, updated.stdout) == (1, "")
    assert "commit this service" in updated.stderr


def test_an_unknown_release_changes_nothing(orders: Path) -> None:
    """What cannot be found is said in one line, without a traceback."""
    updated = ask(orders, "update", "--to=v9; exit 0")
    assert (updated.returncode, len(updated.stderr.splitlines())) == (1, 1)
    assert "v9; exit 0" in updated.stderr
    assert status(orders) == ""


def test_a_template_that_has_gone_is_an_error(orders: Path, releases: Path) -> None:
    """A source that cannot be reached is status 1, never "up to date"."""
    releases.rename(releases.with_name("moved"))
    checked = ask(orders, "check")
    assert (checked.returncode, checked.stdout) == (1, "")
    assert len(checked.stderr.splitlines()) == 1
