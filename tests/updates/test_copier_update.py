"""A plain `copier update` keeps the service intact, and says what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from copier.errors import TaskError

from tests.support.git import commit_all
from tests.support.releases import FIRST, MAKEFILE, NEW, OLD
from tests.support.services import Service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.releases import Repository


@pytest.fixture(name="orders")
def _orders(updatable: Path) -> Service:
    """A service of the release v1.0.0."""
    return Service(updatable)


@pytest.mark.parametrize("how", ["given", "moved"])
def test_a_package_keeps_its_name(
    orders: Service, releases: Repository, capfd: pytest.CaptureFixture[str], how: str
) -> None:
    """An update with another package name, or of a renamed package, is refused."""
    releases.release("v1.1.0", FIRST)
    if how == "moved":
        orders.git("mv", "orders", "shop")
        orders.commit()
    with pytest.raises(TaskError):
        orders.update(**({"package_name": "shop"} if how == "given" else {}))
    assert "package_name: " in capfd.readouterr().err
    assert orders.changes == ""


def test_uncommitted_work_beside_the_service_stops_the_update(
    releases: Repository, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Copier would undo that work. `make template-update` does not need the check."""
    shop = Service(tmp_path / "shop")
    orders = Service.copy(releases, shop.folder / "orders", "v1.0.0")
    orders.forget_history()
    shop.write("billing/notes.txt", "before")
    shop.commit()
    shop.write("billing/notes.txt", "work in progress")
    releases.release("v1.1.0", FIRST)
    with pytest.raises(TaskError):
        orders.update()
    assert "billing/notes.txt" in capfd.readouterr().err
    assert shop.changes.strip() == "M billing/notes.txt"


def test_unreleased_commits_need_an_explicit_request(orders: Service, releases: Repository) -> None:
    """The default is the newest release. A service made from a later commit can be updated too."""
    releases.replace(MAKEFILE, OLD, "## Not released")
    commit_all(releases.folder)
    orders.update()
    assert orders.changes == ""
    orders.update("HEAD")
    assert "## Not released" in orders.read("Makefile")
    assert str(orders.answers["_commit"]).startswith("v1.0.0-1-g")
    orders.commit()
    releases.release("v1.1.0", {MAKEFILE: ("## Not released", NEW)})
    orders.update()
    assert (orders.conflicts, orders.answers["_commit"]) == ([], "v1.1.0")
    assert NEW in orders.read("Makefile")


def test_each_release_is_rendered_with_its_own_extension(
    orders: Service, releases: Repository
) -> None:
    """The old render uses the filter's old name, and the new render its new name."""
    extension, config = "extensions/answers.py", releases.folder / "copier.yml"
    for path in (releases.folder / extension, config):
        text = path.read_text()
        assert "human_name" in text
        path.write_text(text.replace("human_name", "title_name"))
    project = "template/pyproject.toml.jinja"
    releases.replace(project, 'name = "{{ project_slug }}"', 'name = "{{ "Orders" | slug }}"')
    releases.release("v1.1.0", {MAKEFILE: (OLD, "## Clean {{ project_slug | title_name }}")})
    orders.update()
    assert orders.conflicts == []
    assert "## Clean Orders\n" in orders.read("Makefile")
