"""Seeds of features and revisions never change in later releases."""

from __future__ import annotations

import re
from posixpath import normpath
from typing import TYPE_CHECKING

import pytest
from jinja2 import Environment

from migrations.files import SEEDS
from tests.support.git import git
from tests.support.history import releases, upcoming

if TYPE_CHECKING:
    from tests.support.releases import Repository

ALWAYS = "{package_name}/features.py"
"""The seed that arrives with an update, from v1.4.0 on."""

CONDITION = re.compile(r"\{% if [^%]*%\}(.*?)\{% endif %\}")
RECORDS: tuple[list[str], ...] = ([], ["postgres"], ["kafka"], ["postgres", "kafka"])
"""The recorded features of a first copy, in the combinations that seeds ask for."""

REVISIONS = re.compile(r"template/.*(/versions/|/history/(?!__init__)).*\.py.*")


def shipped(history: Repository, release: str) -> dict[str, str]:
    """Return the texts of a release's seeds and revisions by their paths in a service."""
    output = git(history.folder, "ls-tree", "-rz", "--name-only", release)
    seed_paths = {
        path
        for path in output.split("\0")
        if in_a_service(path) in {*SEEDS, ALWAYS} or REVISIONS.fullmatch(path)
    }
    texts = {
        in_a_service(path): git(history.folder, "show", f"{release}:{path}") for path in seed_paths
    }
    return {path: in_services(text) if path in SEEDS else text for path, text in texts.items()}


def in_services(seed: str) -> str:
    """Return the texts of a seed in services of earlier releases."""
    template = Environment(trim_blocks=True, lstrip_blocks=True).from_string(seed)  # noqa: S701
    return "\n".join(template.render(created_with=record) for record in RECORDS)


def in_a_service(path: str) -> str:
    """Return the path of a template file in a service."""
    below = CONDITION.sub(r"\1", path).removeprefix("template/").removesuffix(".jinja")
    return normpath(below).replace("{{ package_name }}", "{package_name}")


@pytest.mark.parametrize("release", releases())
def test_seeds_of_features_and_revisions_are_the_same_in_every_release(
    history: Repository, release: str
) -> None:
    """Updates do not change them, so services receive them only once."""
    old_seeds, new_seeds = shipped(history, release), shipped(history, upcoming())
    assert {path: new_seeds.get(path) for path in old_seeds} == old_seeds
    assert set(old_seeds).intersection(SEEDS) >= {"{package_name}/db/__init__.py"}
    assert any("/versions/" in path for path in old_seeds)
