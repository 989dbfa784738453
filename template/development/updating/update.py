"""Update this service's files to a release of the template."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from development.updating.apply import apply
from development.updating.outcome import Outcome, describe
from development.updating.releases import Template, UpdatePath, cloned_template, recorded_answers
from development.updating.repository import (
    ROOT,
    TemplateError,
    git,
    printable,
    refuse_unsaved_work,
    split_names,
    update_lock,
)
from development.updating.workspace import Result, Workspace, last_commit


def update_service(release: str = "") -> Outcome | None:
    """Update the files to a release, or to the newest one.

    Returns:
        The changes, or None if there was nothing to update.

    Raises:
        TemplateError: the update failed and changed nothing.
    """
    refuse_unsaved_work()
    with update_lock():
        before = recorded_answers()
        with cloned_template(str(before["_src_path"])) as template:
            update_path = template.update_path(str(before["_commit"]), release)
            if release and update_path.ahead:
                raise TemplateError(
                    f"This service is at {update_path.start}, and {release} is older. Downgrades "
                    f"are not supported: choose a newer release."
                )
            if update_path.target is None or not update_path.behind:
                print(f"Nothing to update: this service is at {update_path.start}.")
                return None
            check_start(template, update_path)
            return update(template, update_path, before)


def update(template: Template, update_path: UpdatePath, before: dict[str, object]) -> Outcome:
    """Merge a release into a copy of the service, then write the result into its files."""
    tag = update_path.target.tag if update_path.target else ""
    questions = new_questions(template, tag, before) if sys.stdin.isatty() else []
    commit = last_commit()
    with TemporaryDirectory(prefix="update-") as folder:
        # The copy has the same folder name, because new questions may take it as their default.
        copy = Path(folder).resolve() / "copy" / ROOT.name
        workspace = Workspace(copy, commit, template.rewrites)
        workspace.fill()
        result = workspace.result(workspace.update(tag, questions))
    ignored = apply(result, commit, f"{update_path.start} to {tag}")
    notes = (*result.notes, *keep_ignored(result), *lock_dependencies(result))
    return describe(update_path, before, result, ignored=ignored, notes=notes)


def check_start(template: Template, update_path: UpdatePath) -> None:
    """Raise if the template no longer has the service's commit; report an unreleased commit."""
    if not template.has_commit(update_path.start):
        raise TemplateError(
            f"This service was made from {update_path.start}, which the template no longer has. "
            f"An update needs that commit: restore it in the template."
        )
    if not update_path.starts_at_release:
        print(f"This service was made from {update_path.start}, which is not a release.")


def new_questions(template: Template, tag: str, answers: dict[str, object]) -> list[str]:
    """List the questions of a release that this service was never asked."""
    content = yaml.safe_load(template.read(tag, "copier.yml") or "{}")
    questions = [
        name
        for name, question in content.items()
        if isinstance(question, dict) and "help" in question
    ]
    return [name for name in questions if name not in answers]


def keep_ignored(result: Result) -> Iterator[str]:
    """Keep data out of git that a removed feature left on this machine, and report it."""
    if ".gitignore" not in result.written:
        return
    output = git("ls-files", "--others", "--exclude-standard", "--directory", "-z")
    for path in split_names(output):
        if any(file == path or file.startswith(path) for file in result.written):
            continue
        if path.endswith("/") and ignore_folder(ROOT / path):
            yield f"{printable(path)} is still on this machine. Git ignores it; you may delete it."
        else:
            yield f"{printable(path)} is still on this machine. Delete it, or do not commit it."


def ignore_folder(folder: Path) -> bool:
    """Write a `.gitignore` into a folder, and return whether that worked."""
    try:
        (folder / ".gitignore").write_text("*\n")
    except OSError:
        return False
    return True


def lock_dependencies(result: Result) -> Iterator[str]:
    """Update uv.lock after a change of pyproject.toml, or report that it needs an update."""
    if "pyproject.toml" not in result.written:
        return
    if git("ls-files", "-z", "--", "uv.lock"):
        command = [os.environ.get("UV", "uv"), "lock", "--quiet"]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            yield "uv.lock does not match pyproject.toml: run `uv lock`."
    elif lock := other_lock():
        yield f"{printable(lock)} may not match pyproject.toml: run `uv lock` and commit it."


def other_lock() -> str:
    """Return the path of a lock file that is a workspace's or that git ignores, or nothing."""
    repository = Path(git("rev-parse", "--show-toplevel").removesuffix("\n"))
    for folder in (ROOT, *ROOT.parents):
        if (folder / "uv.lock").exists():
            return os.path.relpath(folder / "uv.lock", ROOT)
        if folder == repository:
            break
    return ""
