"""Bringing a release into this service's files."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from development.updating.apply import bring
from development.updating.leftovers import keep_ignored, lock_dependencies
from development.updating.outcome import Outcome, observe
from development.updating.releases import Template, UpdatePath, fetched, recorded
from development.updating.repository import ROOT, TemplateError, only_one, refuse_unsaved_work
from development.updating.workspace import Workspace, last_commit


def bring_in(release: str = "") -> Outcome | None:
    """Update the files to `release`, or to the newest one; None if there was nothing to do.

    Raises TemplateError when nothing was changed, and HalfwayError when some files were.
    """
    refuse_unsaved_work()
    with only_one():
        before = recorded()
        with fetched(str(before["_src_path"])) as template:
            update_path = template.update_path(str(before["_commit"]), release)
            if release and update_path.ahead:
                raise TemplateError(
                    f"This service is at {update_path.start}, and {release} is older: an update "
                    f"would take away what came since."
                )
            if update_path.target is None or not update_path.behind:
                print(f"There was nothing to bring in: this service is at {update_path.start}.")
                return None
            check_start(template, update_path)
            return update(template, update_path, before)


def update(template: Template, update_path: UpdatePath, before: dict[str, object]) -> Outcome:
    """Merge a release beside the service, then bring the result into its files."""
    tag = update_path.target.tag if update_path.target else ""
    asked = new_questions(template, tag, before) if sys.stdin.isatty() else []
    commit = last_commit()
    with TemporaryDirectory(prefix="update-") as folder:
        # New questions may take their default from the folder's name.
        copy = Path(folder).resolve() / "copy" / ROOT.name
        workspace = Workspace(copy, commit, template.rewrites)
        workspace.fill()
        result = workspace.result(workspace.update(tag, asked))
    hidden = bring(result, commit, f"{update_path.start} to {tag}")
    notes = (*result.notes, *keep_ignored(result), *lock_dependencies(result))
    return observe(update_path, before, result, hidden=hidden, notes=notes)


def check_start(template: Template, update_path: UpdatePath) -> None:
    """Raise if the template has lost what the service was made from; say if it is no release."""
    if not template.has(update_path.start):
        raise TemplateError(
            f"This service was made from {update_path.start}, which the template no longer has: "
            f"without it nothing tells what the template changed since."
        )
    if not update_path.released:
        print(f"This service was made from {update_path.start}, a commit that is no release.")


def new_questions(template: Template, tag: str, answers: dict[str, object]) -> list[str]:
    """List the questions of a release that this service was never asked."""
    content = yaml.safe_load(template.read(tag, "copier.yml") or "{}")
    questions = [name for name, one in content.items() if isinstance(one, dict) and "help" in one]
    return [name for name in questions if name not in answers]
