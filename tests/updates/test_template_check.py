"""`make template-check` compares a service with its template. Scripts can rely on its status."""

from __future__ import annotations

import ast
import re
import tomllib
from typing import TYPE_CHECKING

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from tests.support.files import replace
from tests.support.git import commit_all, git
from tests.support.releases import FIRST, MAKEFILE, NEW, NEWER, OLD, SECOND
from tests.support.rendering import ROOT
from tests.support.updater import ask

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.releases import Repository

ANSWERS = ".copier-answers.yml"


def test_a_service_at_the_newest_release_is_up_to_date(updatable: Path) -> None:
    """Without a newer release the status is 0, and an update changes nothing."""
    checked = ask(updatable, "check")
    assert (checked.returncode, checked.stdout) == (
        0,
        "Up to date with the template, release v1.0.0.\n",
    )
    assert ask(updatable, "update").returncode == 0
    assert git(updatable, "status", "--porcelain") == ""


def test_newer_releases_are_shown_with_their_changelog(
    updatable: Path, releases: Repository
) -> None:
    """The check shows the changelog of the newer releases only, newest first."""
    releases.release("v1.9.0", FIRST, news="Nine.\n\n- a **point**\n\n```\n# code\n```")
    releases.release("v1.10.0", SECOND, news="Ten.")
    releases.release("v1.11.0", {MAKEFILE: (NEWER, OLD)})
    checked = ask(updatable, "check")
    assert checked.returncode == 2
    assert checked.stdout == (
        "Behind by 3 releases: this service is at v1.0.0, the template is at v1.11.0.\n\n"
        "## v1.11.0\n\nThe changelog has no entry for this release.\n\n"
        "## v1.10.0\n\nTen.\n\n"
        "## v1.9.0\n\nNine.\n\n- a **point**\n\n```\n# code\n```\n\n"
        "To update, run: make template-update\n"
    )


def test_a_pre_release_is_not_reported(updatable: Path, releases: Repository) -> None:
    """Pre-releases and other tags do not count. Users can name a pre-release in an update."""
    releases.release("v1.1.0rc1", FIRST)
    releases.release("not-a-version", SECOND)
    assert ask(updatable, "check").returncode == 0


def test_a_service_may_be_newer_than_the_newest_release(
    updatable: Path, releases: Repository
) -> None:
    """A service made from a withdrawn release is ahead, and the status is 0."""
    releases.release("v1.1.0", FIRST)
    assert ask(updatable, "update", "--commit").returncode == 0
    git(releases.folder, "tag", "--delete", "v1.1.0")
    checked = ask(updatable, "check")
    assert checked.returncode == 0
    assert checked.stdout.startswith("Ahead of the template")
    assert "v1.1.0" in checked.stdout
    assert ask(updatable, "update").returncode == 0


def test_a_commit_between_two_releases_is_ahead_of_the_first(
    updatable: Path, releases: Repository
) -> None:
    """A service made from an unreleased commit is ahead until the next release."""
    releases.replace("template/Makefile.jinja", OLD, NEW)
    commit_all(releases.folder)
    described = git(releases.folder, "describe", "--tags").strip()
    replace(updatable / ANSWERS, "v1.0.0", described)
    checked = ask(updatable, "check")
    assert (checked.returncode, described in checked.stdout) == (0, True)
    assert checked.stdout.startswith("Ahead of the template")
    releases.release("v1.1.0", SECOND, news="One.")
    checked = ask(updatable, "check")
    assert (checked.returncode, "One." in checked.stdout) == (2, True)


def test_a_missing_template_is_an_error(updatable: Path, releases: Repository) -> None:
    """An unreachable template is status 1. A corrected address works."""
    releases.folder.rename(releases.folder.with_name("moved"))
    checked = ask(updatable, "check")
    assert (checked.returncode, checked.stdout) == (1, "")
    assert len(checked.stderr.splitlines()) == 1
    replace(updatable / ANSWERS, str(releases.folder), str(releases.folder.with_name("moved")))
    assert ask(updatable, "check").returncode == 0


def test_a_file_beside_the_script_does_not_shadow_a_library(updatable: Path) -> None:
    """The script does not import modules from its own folder."""
    for library in ("copier", "json", "yaml"):
        (updatable / f"development/{library}.py").write_text("raise SystemExit('no library')\n")
    assert ask(updatable, "check").returncode == 0


def test_answers_without_a_template_are_an_error(updatable: Path) -> None:
    """A service without recorded answers gets a one-line error."""
    (updatable / ANSWERS).write_text("package_name: orders\n")
    checked = ask(updatable, "check")
    assert (checked.returncode, checked.stdout) == (1, "")
    assert len(checked.stderr.splitlines()) == 1


@pytest.mark.parametrize("source", ["gh:example/template", "https://github.com/example/template"])
def test_a_template_may_have_a_short_address(
    updatable: Path, releases: Repository, tmp_path: Path, source: str
) -> None:
    """The short addresses of copier work, with the user's git configuration."""
    answers = updatable / ANSWERS
    replace(answers, f"_src_path: {releases.folder}", f"_src_path: {source}")
    commit_all(updatable)
    releases.write_news("v1.1.0", "From afar.")
    releases.release("v1.1.0", FIRST)
    elsewhere = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{releases.folder}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/example/template.git",
        "COPIER_CACHE_DIR": str(tmp_path / "cache"),
    }
    checked = ask(updatable, "check", **elsewhere)
    assert (checked.returncode, "From afar." in checked.stdout) == (2, True), checked.stderr
    assert ask(updatable, "update", **elsewhere).returncode == 0
    assert f"_src_path: {source}" in answers.read_text()


@pytest.mark.parametrize(
    ("opening", "path"),
    [
        ("robot:pass-phrase@", "template.git"),
        ("robot:pass@phrase@", "template.git"),
        ("robot:pass/phrase@", "template.git"),
        ("", "template.git?private_token=passphrase"),
    ],
)
def test_a_password_in_the_templates_url_is_not_shown(
    updatable: Path, releases: Repository, opening: str, path: str
) -> None:
    """Messages can be pasted anywhere, because they mask the secrets of a URL."""
    private = f"https://{opening}127.0.0.1:9/{path}"
    replace(updatable / ANSWERS, f"_src_path: {releases.folder}", f"_src_path: {private}")
    checked = ask(updatable, "check")
    assert (checked.returncode, checked.stdout) == (1, "")
    assert "127.0.0.1:9/template.git" in checked.stderr
    assert "pass" not in checked.stderr
    assert "phrase" not in checked.stderr


def test_the_script_pins_copier_and_its_extensions() -> None:
    """A service runs the copier that the template chose, which its minimum version allows."""
    script = (ROOT / "template/development/template.py").read_text()
    [header] = re.findall(r"^# /// script\n((?:# .*\n)+?)# ///$", script, re.MULTILINE)
    metadata = tomllib.loads(header.replace("# ", ""))
    requirements = {one.name: one for one in map(Requirement, metadata["dependencies"])}
    for name in ("copier", "copier-template-extensions", "jinja2-time"):
        assert [one.operator for one in requirements.pop(name).specifier] == ["=="]
    assert all("<" in str(one.specifier) for one in requirements.values())
    [pinned] = re.findall(r'"copier==([\d.]+)"', script)
    minimum = yaml.safe_load((ROOT / "copier.yml").read_text())["_min_copier_version"]
    assert Version(minimum) <= Version(pinned)


def test_the_updater_uses_no_private_name_of_copier() -> None:
    """Only copier's commands and documented names run in services, migrations and the fleet."""
    names = [
        node.module if isinstance(node, ast.ImportFrom) else ast.unparse(node)
        for folder in ("template/development", "migrations", "fleet", "extensions")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom | ast.Attribute)
    ]
    used = {name for name in names if name and re.match(r"copier(\.|$)", name)}
    assert used <= {"copier.run_copy"}
