"""A feature that takes one folder and one entry passes all checks of a service."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.processes import make
from tests.support.rendering import CATALOGUE, render
from tests.support.toy import add_toy_feature


def test_a_new_feature_is_linted_and_tested(template: Path, tmp_path: Path) -> None:
    """`make lint test` is green with its code, and its own target works."""
    extended = shutil.copytree(template, tmp_path / "template")
    add_toy_feature(extended)
    answers = {**dict.fromkeys(CATALOGUE, False), "vault": True}
    with TemporaryDirectory(prefix="toy-") as folder:
        service = render(extended, Path(folder) / "orders", **answers)
        make(service, "install")
        make(service, "lint")
        assert " passed" in make(service, "test")
        make(service, "seal")
