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
    """Update a service, compare it with a new one of the same answers, and return the new one.

    The updated one may also contain the seeds of removed features, saved as `.saved`.
    """
    expected_answers = convert_answers(service.answers) | answers
    old_texts, own_paths = service.texts, owned(service.folder, YOURS)

    service.update(**answers)

    assert service.conflicts == []
    public_answers = {
        name: answer for name, answer in expected_answers.items() if not name.startswith("_")
    }
    fresh = Service(render(template, folder / "orders", **public_answers))
    assert service.answers == fresh.answers | expected_answers | {"_commit": upcoming()}
    own_texts = {path: text for path, text in old_texts.items() if path in own_paths}
    fresh_own_paths = owned(fresh.folder, YOURS)
    new = {path: text for path, text in fresh.texts.items() if path not in fresh_own_paths}
    updated_texts = service.texts
    saved = {
        path: updated_texts.pop(path) for path in list(updated_texts) if path.endswith(".saved")
    }
    assert saved == {path: old_texts[path.removesuffix(".saved")] for path in saved}
    assert updated_texts | {ANSWERS: ""} == new | own_texts | {ANSWERS: ""}
    return fresh
