"""Services are found wherever they are, and what is none is shown with its reason."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.repositories import commit_all

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.conftest import Workshop


def git(*arguments: str | Path) -> None:
    """Run git, which must succeed."""
    subprocess.run(["git", *map(str, arguments)], check=True, capture_output=True)


def test_a_folder_is_searched_for_services(evolved: Workshop) -> None:
    """Services in folders of folders, within a repository, and bare ones are found, others not."""
    made = evolved.service("orders", "v1.0.0")
    git("clone", "--bare", "--quiet", made, evolved.services / "mirrors/stock.git")
    git("clone", "--bare", "--quiet", evolved.template, evolved.services / "mirrors/template.git")
    shutil.copytree(
        made, evolved.services / "all/teams/mail", ignore=shutil.ignore_patterns(".git")
    )
    commit_all(evolved.services / "all")
    (evolved.services / "other").mkdir()
    services = evolved.ask("check", evolved.services).services
    assert {name: one["state"] for name, one in services.items()} == dict.fromkeys(
        ("orders", "stock", "mail"), "behind"
    )
    assert services["mail"]["changed_files"] == [".copier-answers.yml", "Makefile"]


def test_a_list_may_name_paths_and_urls(evolved: Workshop) -> None:
    """Relative paths start at the list; a URL and a shallow clone do as well as a folder."""
    made = evolved.service("orders", "v1.0.0")
    git("clone", "--quiet", "--depth=1", made.as_uri(), evolved.services / "shallow")
    git("clone", "--bare", "--quiet", made, evolved.root / "stock.git")
    listed = evolved.root / "services.txt"
    url = (evolved.root / "stock.git").as_uri()
    listed.write_text(f"# ours\n\nservices/orders  # the first\n{url}\nservices/shallow\n{url}\n")
    outcome = evolved.ask("check", listed)
    assert [one["state"] for one in outcome.services.values()] == ["behind"] * 3
    assert [one["place"] for one in outcome.services.values()] == [
        str(made),
        str(evolved.services / "shallow"),
        url,
    ]


def test_bad_entries_are_shown_with_their_reason(evolved: Workshop) -> None:
    """An entry that is no service is status 1, says why, and does not stop the others.

    Neither does one whose template has moved; another template can be named instead.
    """
    evolved.service("orders", "v1.0.0")
    (evolved.services / "plain").mkdir()
    for name, answers in {
        "foreign": None,
        "broken": "a: [",
        "undated": "_src_path: /x\n",
        "moved": "_src_path: /nowhere/template\n_commit: v1.0.0\nname: moved\n",
        "unknown": f"_src_path: {evolved.template}\n_commit: v0.9.9\n",
    }.items():
        (evolved.services / name).mkdir()
        if answers is not None:
            (evolved.services / name / ".copier-answers.yml").write_text(answers)
        commit_all(evolved.services / name)
    names = ("orders", "missing", "plain", "foreign", "broken", "undated", "moved", "unknown")
    listed = evolved.services / "list"
    listed.write_text("\n".join(names))
    outcome = evolved.ask("check", listed)
    reasons = {name: str(one["reason"]) for name, one in outcome.services.items()}
    assert outcome.status == 1
    assert reasons.pop("orders") == ""
    for name, words in {
        "missing": "no such folder",
        "plain": "not a git repository",
        "foreign": "no .copier-answers.yml",
        "broken": "is no YAML",
        "undated": "does not say from which release",
        "moved": "/nowhere/template, cannot be fetched",
        "unknown": "has no v0.9.9",
    }.items():
        assert words in reasons.pop(name)
    assert reasons == {}
    listed.write_text("moved")
    moved = evolved.ask("check", listed, "--template", evolved.template).services["moved"]
    assert (moved["state"], moved["source"]) == ("behind", str(evolved.template))


def test_the_services_are_shared_out_between_machines(evolved: Workshop) -> None:
    """The shards of a list are its services, each in one of them, and merge into one report."""
    for name in ("a", "b", "c"):
        evolved.service(name, "v1.2.0")
    shards = []
    for shard in ("1/2", "2/2"):
        outcome = evolved.ask("check", evolved.services, f"--shard={shard}")
        shards.append((evolved.root / "report.json").rename(evolved.root / shard.replace("/", "-")))
        assert set(outcome.services) == {"a", "c"} if shard == "1/2" else {"b"}
    merged = evolved.ask("merge", *shards)
    assert (merged.status, set(merged.services)) == (0, {"a", "b", "c"})


def test_wrong_usage_is_no_answer(workshop: Workshop) -> None:
    """A place that is not there, and an option that is none, end with one line and status 1."""
    for arguments in (["/nowhere"], [workshop.template], ["x", "--shard=3/2"], ["x", "--jobs=0"]):
        outcome = workshop.ask("check", *arguments)
        assert (outcome.status, outcome.printed) == (1, "")
        assert "Traceback" not in outcome.complained
        assert outcome.complained
