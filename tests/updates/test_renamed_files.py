"""A service's edits move along when a release renames a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.services import Service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.releases import Repository

UTILS, IDS, NAMES = (f"orders/internal/{name}.py" for name in ("utils", "ids", "names"))
TEMPLATE = "template/{{ package_name }}/internal/"
NO_RENAMES = "RENAMES: Final[Mapping[str, str]] = {"


@pytest.fixture(name="orders")
def _orders(updatable: Path) -> Service:
    """A service of the release before the rename."""
    return Service(updatable)


def rename(releases: Repository, old: str, new: str, tag: str) -> None:
    """Release a template with a renamed file, whose first line contains its name."""
    moved = releases.folder / TEMPLATE / f"{old}.py"
    text = moved.read_text()
    moved.unlink()
    moved.with_name(f"{new}.py").write_text(f'"""Now {new}."""\n' + text.partition("\n")[2])
    pair = f'\n    "{{package_name}}/internal/{old}.py": "{{package_name}}/internal/{new}.py",'
    releases.release(tag, {"migrations/files.py": (NO_RENAMES, NO_RENAMES + pair)})


def test_edits_move_with_the_file(orders: Service, releases: Repository) -> None:
    """The renamed file contains the edits of the service and of the release."""
    orders.write(UTILS, orders.read(UTILS) + "\nOURS = 1\n")
    orders.commit()
    rename(releases, "utils", "ids", "v1.1.0")
    orders.update()
    assert orders.conflicts == []
    assert orders.read(IDS).startswith('"""Now ids."""\n')
    assert orders.read(IDS).endswith("\nOURS = 1\n")
    assert not orders.has(UTILS)


def test_edits_of_the_same_line_are_marked(orders: Service, releases: Repository) -> None:
    """A conflict in a renamed file is marked in the file and in git's index."""
    orders.write(UTILS, '"""Ours."""\n' + orders.read(UTILS).partition("\n")[2])
    orders.commit()
    rename(releases, "utils", "ids", "v1.1.0")
    orders.update()
    assert orders.conflicts == [IDS]
    text = orders.read(IDS)
    sides = ["<<<<<<< before updating", '"""Ours."""', "=======", '"""Now ids."""']
    assert [line for line in text.splitlines() if line in sides] == sides
    assert orders.git("show", f":2:{IDS}").startswith('"""Ours."""')
    assert orders.git("show", f":3:{IDS}").startswith('"""Now ids."""')


@pytest.mark.thorough
def test_an_update_across_two_renames_moves_the_edits(
    orders: Service, releases: Repository
) -> None:
    """After two renames, the edits are in the file with the newest name."""
    orders.write(UTILS, orders.read(UTILS) + "\nOURS = 1\n")
    orders.commit()
    rename(releases, "utils", "ids", "v1.1.0")
    rename(releases, "ids", "names", "v1.2.0")
    orders.update()
    assert orders.read(NAMES).endswith("\nOURS = 1\n")
    assert not orders.has(UTILS)
    assert not orders.has(IDS)
    orders.commit()
    orders.update()  # a second update changes nothing
    assert orders.changes == ""


@pytest.mark.thorough
def test_a_new_file_at_the_old_path_is_the_releases(orders: Service, releases: Repository) -> None:
    """If a module stays at the old path, the edits move to the new path only."""
    orders.write(UTILS, '"""Ours."""\n' + orders.read(UTILS).partition("\n")[2])
    orders.commit()
    rename(releases, "utils", "ids", "v1.1.0")
    passed_on = '"""The old name of ids."""\n\nfrom .ids import new_id as new_id\n'
    (releases.folder / TEMPLATE / "utils.py").write_text(passed_on)
    releases.release("v1.2.0")
    orders.update()
    assert orders.read(UTILS) == passed_on
    assert orders.conflicts == [IDS]
    assert '"""Ours."""' in orders.read(IDS)


def test_a_deleted_file_stays_deleted(orders: Service, releases: Repository) -> None:
    """A deleted file does not come back under its new name."""
    (orders.folder / UTILS).unlink()
    orders.commit()
    rename(releases, "utils", "ids", "v1.1.0")
    orders.update()
    assert not orders.has(UTILS)
    assert not orders.has(IDS)


def test_the_services_file_at_the_new_path_is_kept(orders: Service, releases: Repository) -> None:
    """If the service has a file at the new path, it is merged, and the old one is saved."""
    orders.write(UTILS, orders.read(UTILS) + "\nOURS = 1\n")
    orders.write(IDS, "ELSEWHERE = 2\n")
    orders.commit()
    rename(releases, "utils", "ids", "v1.1.0")
    orders.update()
    assert orders.conflicts == [IDS]
    assert "ELSEWHERE = 2\n" in orders.read(IDS)
    assert orders.read(f"{UTILS}.saved").endswith("\nOURS = 1\n")


@pytest.mark.thorough
def test_edits_move_in_a_subfolder_of_a_repository(releases: Repository, tmp_path: Path) -> None:
    """If the service is a folder of a repository, edits move, and conflicts have full paths."""
    shop = Service(tmp_path / "shop")
    orders = Service.copy(releases, shop.folder / "orders", "v1.0.0")
    orders.write(UTILS, '"""Ours."""\n' + orders.read(UTILS).partition("\n")[2])
    orders.forget_history()
    shop.commit()
    rename(releases, "utils", "ids", "v1.1.0")
    orders.update()
    assert shop.conflicts == [f"orders/{IDS}"]


@pytest.mark.thorough
def test_a_reverted_rename_ends(orders: Service, releases: Repository) -> None:
    """Two renames that undo each other do not cause an endless loop."""
    orders.write(UTILS, orders.read(UTILS) + "\nOURS = 1\n")
    orders.commit()
    rename(releases, "utils", "ids", "v1.1.0")
    rename(releases, "ids", "utils", "v1.2.0")
    orders.update("v1.1.0")
    orders.commit()
    orders.update()
    assert orders.read(UTILS).endswith("\nOURS = 1\n")
    assert not orders.has(IDS)
