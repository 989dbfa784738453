"""Checks that an update gives the template's new files and keeps the service's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.answers import convert_answers
from tests.support.history import upcoming
from tests.support.ownership import YOURS, owned
from tests.support.rendering import render
from tests.support.services import ANSWERS, Service

if TYPE_CHECKING:
    from pathlib import Path


def check_update(service: Service, template: Path, folder: Path, **answers: object) -> Service:
    """Update a service with answers changed, compare it with a new one, and give the new one.

    Only the seeds of a feature that the update takes out may be there besides, under `.saved`.
    """
    wanted = convert_answers(service.answers) | answers
    first, yours = service.texts, owned(service.folder, YOURS)

    service.update(**answers)

    assert service.conflicts == []
    given = {name: answer for name, answer in wanted.items() if not name.startswith("_")}
    fresh = Service(render(template, folder / "orders", **given))
    assert service.answers == fresh.answers | wanted | {"_commit": upcoming()}
    kept = {path: text for path, text in first.items() if path in yours}
    theirs = owned(fresh.folder, YOURS)
    new = {path: text for path, text in fresh.texts.items() if path not in theirs}
    found = service.texts
    saved = {path: found.pop(path) for path in list(found) if path.endswith(".saved")}
    assert saved == {path: first[path.removesuffix(".saved")] for path in saved}
    assert found | {ANSWERS: ""} == new | kept | {ANSWERS: ""}
    return fresh
