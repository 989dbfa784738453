"""`features.py` comes with one update, and belongs to the service from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from copier.errors import TaskError

from tests.support.history import upcoming
from tests.support.services import Service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.releases import Repository

MAKEFILE = "template/Makefile.jinja"
OWN = "# ours\n"


def test_an_update_leaves_features_alone(history: Repository, tmp_path: Path) -> None:
    """The service's edits stay. `test_matrix.py` tests that other services receive the file."""
    orders = Service.copy(history, tmp_path / "orders", upcoming(), postgres=False)
    assert "FEATURES: tuple[Feature, ...] = ()" in orders.read("orders/features.py")
    orders.write("orders/features.py", orders.read("orders/features.py") + OWN)
    orders.commit()
    orders.update(upcoming())
    assert orders.read("orders/features.py").endswith(OWN)
    assert orders.conflicts == []


@pytest.mark.parametrize("path", ["orders/features.py", "orders/features/__init__.py"])
def test_an_existing_module_named_features_stops_the_update(
    history: Repository, tmp_path: Path, path: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The service loses nothing, and the message says to rename it."""
    orders = Service.copy(history, tmp_path / "orders", "v1.3.0", postgres=False)
    orders.write(path, "FLAGS = {}\n")
    orders.commit()
    with pytest.raises(TaskError):
        orders.update(upcoming())
    assert "Rename yours, such as to orders/flags" in capfd.readouterr().err
    assert (orders.changes, orders.read(path)) == ("", "FLAGS = {}\n")
