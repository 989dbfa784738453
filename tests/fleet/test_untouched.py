"""A check does not change a service."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tests.support.git import commit_all

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.conftest import Workshop


def fingerprint(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Return the content, mode and modification time of all files in a folder."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes() if path.is_file() else b"").hexdigest(),
            path.stat().st_mode,
            path.stat().st_mtime_ns,
        )
        for path in folder.rglob("*")
    }


def test_neither_the_working_tree_nor_the_repository_changes(evolved: Workshop) -> None:
    """All files of the service stay as they were, also in `.git` and with uncommitted changes.

    The rehearsal leaves uncommitted changes out, and the report says so.
    """
    orders, stock = evolved.service("orders", "v1.0.0"), evolved.service("stock", "v1.0.0")
    (stock / "Makefile").write_text("run:\n\tours\n")
    commit_all(stock)
    (orders / "Makefile").write_text("run:\n\tours\n")
    (orders / "notes.txt").write_text("ours")
    before = fingerprint(evolved.services), fingerprint(evolved.template)
    outcome = evolved.ask("check", evolved.services)
    assert outcome.services["orders"]["state"] == "behind"
    assert outcome.services["stock"]["state"] == "conflict"
    after = fingerprint(evolved.services), fingerprint(evolved.template)
    for old, new in zip(before, after, strict=True):
        assert set(old.items()) ^ set(new.items()) == set()
    assert [outcome.services[name]["uncommitted"] for name in ("orders", "stock")] == [True, False]
    assert "uncommitted changes were ignored" in outcome.printed


def test_the_code_of_a_repository_does_not_run(evolved: Workshop) -> None:
    """The check does not run hooks and monitors of a service's repository."""
    orders = evolved.service("orders", "v1.0.0")
    marker = evolved.root / "ran"
    program = evolved.root / "program"
    program.write_text(f"#!/bin/sh\ntouch {marker}\n")
    program.chmod(0o755)
    for hook in ("post-checkout", "post-index-change", "pre-commit"):
        (orders / ".git/hooks" / hook).write_text(program.read_text())
        (orders / ".git/hooks" / hook).chmod(0o755)
    with (orders / ".git/config").open("a") as config:
        config.write(f"[core]\n\tfsmonitor = {program}\n")
    assert evolved.ask("check", evolved.services).services["orders"]["state"] == "behind"
    assert not marker.exists()
