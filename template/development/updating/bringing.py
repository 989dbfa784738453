"""Bringing a release into this service's files."""

import os
import subprocess
import sys

import copier
import yaml

from development.updating.outcome import Outcome, observe, rejects
from development.updating.releases import Course, Template, fetched, recorded
from development.updating.repository import (
    GO_BACK,
    ROOT,
    HalfwayError,
    Note,
    TemplateError,
    changes,
    refuse_unsaved_work,
)


def bring_in(release: str = "") -> Outcome | None:
    """Update the files to `release`, or to the newest one; None if there was nothing to do.

    Raises TemplateError when nothing was changed, and HalfwayError when some files were.
    """
    refuse_unsaved_work()
    before = recorded()
    with fetched(str(before["_src_path"])) as template:
        course = template.course(str(before["_commit"]), release)
        if release and course.ahead:
            raise TemplateError(
                f"This service is at {course.start}, and {release} is older: an update would take "
                f"away what came since."
            )
        if course.target is None or not course.behind:
            print(f"There was nothing to bring in: this service is at {course.start}.")
            return None
        check_start(template, course)
        tag = course.target.tag
        asked = new_questions(template, tag, before) if sys.stdin.isatty() else []
    rejected_before = rejects()
    update_files(course.start, tag, asked)
    lock_dependencies()
    return observe(course, before, rejected_before)


def check_start(template: Template, course: Course) -> None:
    """Raise if the template has lost what the service was made from; say if it is no release."""
    if not template.has(course.start):
        raise TemplateError(
            f"This service was made from {course.start}, which the template no longer has: without "
            f"it nothing tells what the template changed since."
        )
    if not course.released:
        print(f"This service was made from {course.start}, a commit that is no release.")


def new_questions(template: Template, tag: str, answers: dict[str, object]) -> list[str]:
    """List the questions of a release that this service was never asked."""
    content = yaml.safe_load(template.read(tag, "copier.yml") or "{}")
    questions = [name for name, one in content.items() if isinstance(one, dict) and "help" in one]
    return [name for name in questions if name not in answers]


def update_files(start: str, tag: str, asked: list[str]) -> None:
    """Let copier merge the release into the files, asking the questions named."""
    note = Note()
    note.write(start, tag)
    try:
        copier.run_update(
            ROOT, vcs_ref=tag, defaults=True, ask=asked, overwrite=True, unsafe=True, quiet=True
        )
    except (Exception, KeyboardInterrupt) as error:  # whatever stops it, files may have changed
        reason = (str(error).strip().splitlines() or ["it was interrupted"])[-1]
        if changes():
            raise HalfwayError(f"The update stopped halfway: {reason}\n{GO_BACK}") from error
        note.remove()
        if isinstance(error, KeyboardInterrupt):
            raise
        raise TemplateError(f"The release {tag} could not be applied: {reason}") from error
    note.remove()


def lock_dependencies() -> None:
    """Bring uv.lock in line with what the update changed in pyproject.toml."""
    if not (ROOT / "uv.lock").exists() or "pyproject.toml" not in changes():
        return
    locked = subprocess.run([os.environ.get("UV", "uv"), "lock", "--quiet"], cwd=ROOT, check=False)
    if locked.returncode:
        print("uv.lock is not in line with pyproject.toml yet: run `uv lock`.", file=sys.stderr)
