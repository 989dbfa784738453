"""The check finds services in all kinds of places, and reports invalid entries."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.support.git import commit_all, git

if TYPE_CHECKING:
    from tests.fleet.conftest import Workshop


def test_a_folder_is_searched_for_services(evolved: Workshop) -> None:
    """A folder is searched for nested services and for services in repositories, also bare ones."""
    service = evolved.service("orders", "v1.0.0")
    git(evolved.root, "clone", "--bare", "--quiet", service, evolved.services / "mirrors/stock.git")
    git(
        evolved.root,
        "clone",
        "--bare",
        "--quiet",
        evolved.template,
        evolved.services / "mirrors/template.git",
    )
    shutil.copytree(
        service, evolved.services / "all/teams/mail", ignore=shutil.ignore_patterns(".git")
    )
    commit_all(evolved.services / "all")
    (evolved.services / "other").mkdir()
    services = evolved.ask("check", evolved.services).services
    assert {name: result["state"] for name, result in services.items()} == dict.fromkeys(
        ("orders", "stock", "mail"), "behind"
    )
    assert services["mail"]["changed_files"] == [".copier-answers.yml", "Makefile"]


def test_a_service_within_a_service_is_found(evolved: Workshop) -> None:
    """Services in services are found, in working trees and in bare repositories."""
    service = evolved.service("orders", "v1.0.0")
    shutil.copytree(
        evolved.service("stock", "v1.0.0"),
        service / "services/mail",
        ignore=shutil.ignore_patterns(".git"),
    )
    commit_all(service)
    git(evolved.root, "clone", "--bare", "--quiet", service, evolved.services / "mirror.git")
    places = evolved.places("check", evolved.services)
    assert places == {
        str(service): "behind",
        str(service / "services/mail"): "behind",
        str(evolved.services / "stock"): "behind",
        str(evolved.services / "mirror.git"): "behind",
        f"{evolved.services}/mirror.git#subdirectory=services/mail": "behind",
    }


def test_a_url_may_name_a_folder(evolved: Workshop) -> None:
    """`#subdirectory=` names a folder. Without it, the reason lists the folders with services."""
    service = evolved.service("stock", "v1.0.0")
    shutil.copytree(
        service, evolved.root / "shop/services/orders", ignore=shutil.ignore_patterns(".git")
    )
    commit_all(evolved.root / "shop")
    url = (evolved.root / "shop").as_uri()
    named = evolved.ask("check", f"{url}#subdirectory=services/orders")
    assert named.services["orders"]["state"] == "behind"
    assert named.services["orders"]["changed_files"] == [".copier-answers.yml", "Makefile"]
    (result,) = evolved.ask("check", url).services.values()
    assert result["state"] == "unknown"
    assert result["reason"].endswith("#subdirectory=FOLDER: services/orders/.copier-answers.yml")


def test_an_answers_file_of_another_name_is_found(evolved: Workshop) -> None:
    """An answers file with another name works. The usual name takes precedence."""
    chosen = ".copier-answers.orders.yml"
    orders, stock = evolved.service("orders", "v1.0.0"), evolved.service("stock", "v1.0.0")
    (orders / ".copier-answers.yml").rename(orders / chosen)
    (stock / ".copier-answers.other.yml").write_text("_commit: v9\n")
    commit_all(orders)
    commit_all(stock)
    assert evolved.places("check", evolved.services) == {
        str(orders / chosen): "behind",
        str(stock): "behind",
    }
    result = evolved.ask("check", orders / chosen).services["orders"]
    assert result["changed_files"] == [chosen, "Makefile"]


def test_a_place_is_shown_by_its_real_path(evolved: Workshop) -> None:
    """A path such as `stock/../orders`, or through a link, is shown as the real folder."""
    orders, stock = evolved.service("orders", "v1.2.0"), evolved.service("stock", "v1.2.0")
    assert evolved.places("check", f"{stock}/../orders") == {str(orders): "current"}
    elsewhere = evolved.root / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    (evolved.services / "link").symlink_to(elsewhere / "deep")
    shutil.copytree(orders, elsewhere / "mail")
    indirect_path = f"{evolved.services}/link/../mail"
    assert evolved.places("check", indirect_path) == {str(elsewhere / "mail"): "current"}


def test_a_list_may_name_paths_and_urls(evolved: Workshop) -> None:
    """Relative paths start at the list's folder. URLs and shallow clones work too."""
    service = evolved.service("orders", "v1.0.0")
    git(
        evolved.root,
        "clone",
        "--quiet",
        "--depth=1",
        service.as_uri(),
        evolved.services / "shallow",
    )
    git(evolved.root, "clone", "--bare", "--quiet", service, evolved.root / "stock.git")
    service_list = evolved.root / "services.txt"
    url = (evolved.root / "stock.git").as_uri()
    service_list.write_text(
        f"# ours\n\nservices/orders  # the first\n{url}\nservices/shallow\n{url}\n"
    )
    outcome = evolved.ask("check", service_list)
    assert [result["state"] for result in outcome.services.values()] == ["behind"] * 3
    assert [result["place"] for result in outcome.services.values()] == [
        str(service),
        str(evolved.services / "shallow"),
        url,
    ]


def test_bad_entries_are_reported_with_their_reason(evolved: Workshop) -> None:
    """An entry without a service is status 1 with a reason, and the other entries are checked.

    The same holds for a template that has moved. The user can name another template.
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
    service_list = evolved.services / "list"
    service_list.write_text("\n".join(names))
    outcome = evolved.ask("check", service_list)
    reasons = {name: str(result["reason"]) for name, result in outcome.services.items()}
    assert outcome.status == 1
    assert reasons.pop("orders") == ""
    for name, words in {
        "missing": "the folder does not exist",
        "plain": "not a git repository",
        "foreign": "no .copier-answers.yml",
        "broken": "is not YAML: expected the node content, but found '<stream end>', in line 1",
        "undated": "does not name a template and a release",
        "moved": "/nowhere/template, cannot be fetched",
        "unknown": "has no v0.9.9",
    }.items():
        assert words in reasons.pop(name)
    assert reasons == {}
    service_list.write_text("moved")
    moved = evolved.ask("check", service_list, "--template", evolved.template).services["moved"]
    assert (moved["state"], moved["source"]) == ("behind", str(evolved.template))


def test_services_are_split_between_machines(evolved: Workshop) -> None:
    """Each service is in exactly one shard, and the reports merge into one."""
    for name in ("a", "b", "c"):
        evolved.service(name, "v1.2.0")
    shards = []
    for shard in ("1/2", "2/2"):
        outcome = evolved.ask("check", evolved.services, f"--shard={shard}")
        shards.append((evolved.root / "report.json").rename(evolved.root / shard.replace("/", "-")))
        assert set(outcome.services) == ({"a", "c"} if shard == "1/2" else {"b"})
    merged = evolved.ask("merge", *shards)
    assert (merged.status, set(merged.services)) == (0, {"a", "b", "c"})


def test_wrong_usage_is_an_error(workshop: Workshop) -> None:
    """A missing place and an unknown option end with a one-line error and status 1."""
    for arguments in (["/nowhere"], [workshop.template], ["x", "--shard=3/2"], ["x", "--jobs=0"]):
        outcome = workshop.ask("check", *arguments)
        assert (outcome.status, outcome.printed) == (1, "")
        assert "Traceback" not in outcome.complained
        assert outcome.complained
