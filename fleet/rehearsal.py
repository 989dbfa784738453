"""The rehearsal of one service's update, in a clone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from .git import GitError, git, names
from .places import ANSWERS, is_url
from .report import State
from .templates import Template, TemplateError, fetch
from .trial import try_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import JsonValue

    from .report import Service

TESTING = "its tests ran"
"""The stage that has a time limit of its own."""


class ServiceError(Exception):
    """A place that holds no service, or one that no update could find its way into."""


@dataclass(frozen=True)
class Plan:
    """What to do with each service."""

    template: str = ""
    to: str = ""
    test: bool = False
    limit: float = 120
    test_limit: float = 900
    test_workers: int = 1


def rehearse(service: Service, plan: Plan, templates: Path, tell: Callable[[str], None]) -> None:
    """Find out all there is to know of a service, below the current folder, and note it.

    Args:
        service: what is known, which is its place; more is added as it is found.
        plan: what to do.
        templates: a folder that all rehearsals of this run share.
        tell: called with each stage as it begins.
    """
    try:
        explore(service, plan, templates, tell)
    except (ServiceError, TemplateError) as error:
        service.state, service.reason = State.UNKNOWN, str(error)
    except GitError as error:
        service.state, service.reason = State.UNKNOWN, f"git: {error}"


def explore(service: Service, plan: Plan, templates: Path, tell: Callable[[str], None]) -> None:
    """As `rehearse`, but an error ends it."""
    tell("it was cloned")
    copy = clone(service, Path("clone").absolute())
    recorded = read_answers(copy)
    service.answers = public(recorded)
    service.release = str(recorded.get("_commit") or "")
    service.source = plan.template or str(recorded.get("_src_path") or "")
    if not service.release or not service.source:
        raise ServiceError(f"its {ANSWERS} does not say from which release of which template it is")
    tell("its template was fetched")
    template = fetch(service.source, templates, plan.limit / 2)
    state, commit = compare(service, template, plan.to)
    if state is State.BEHIND:
        tell("its update was rehearsed")
        update(service, copy, template, commit)
        state = State.CONFLICT if service.conflicts else state
    if plan.test and not service.conflicts:
        tell(TESTING)
        service.tests = try_out(copy, Path("output").absolute(), plan.test_workers)
        state = state if service.tests.outcome == "passed" else State.FAILING
    service.state = state


def clone(service: Service, folder: Path) -> Path:
    """Clone a service's repository and return where in the clone the service is.

    Nothing is shared with the repository, not even objects: git would set their times.
    """
    top, inside = service.place, ""
    if not is_url(service.place):
        if not Path(service.place).is_dir():
            raise ServiceError("there is no such folder")
        if git("rev-parse", "--is-bare-repository", cwd=service.place).strip() != "true":
            top = git("rev-parse", "--show-toplevel", cwd=service.place).rstrip("\n")
            inside = git("rev-parse", "--show-prefix", cwd=service.place).rstrip("\n")
            changes = git("status", "--porcelain", "--", ".", cwd=service.place)
            service.uncommitted = bool(changes)
    git("clone", "--quiet", "--no-local", "--depth=1", "--no-tags", "--", top, folder)
    return folder / inside


def read_answers(copy: Path) -> dict[str, object]:
    """Read what a service records of its template."""
    try:
        recorded = yaml.safe_load((copy / ANSWERS).read_text(encoding="utf-8"))
    except OSError as error:
        raise ServiceError(f"its last commit has no {ANSWERS}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ServiceError(f"its {ANSWERS} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(recorded, dict):
        raise ServiceError(f"its {ANSWERS} has no answers")
    return {str(name): answer for name, answer in recorded.items()}


def public(recorded: dict[str, object]) -> dict[str, JsonValue]:
    """Return the answers to questions, in forms that JSON knows."""
    answers = {name: one for name, one in recorded.items() if not name.startswith("_")}
    known: dict[str, JsonValue] = json.loads(json.dumps(answers, default=str))
    return known


def compare(service: Service, template: Template, to: str) -> tuple[State, str]:
    """Note how far a service is behind, and return its state with the commit to update to."""
    service.target = to or next(reversed(template.releases()), "")
    if not service.target:
        raise TemplateError(f"its template, {service.source}, has no release")
    old, new = template.commit(service.release), template.commit(service.target)
    if old is None or new is None:
        missing = service.release if old is None else service.target
        raise TemplateError(f"its template, {service.source}, has no {missing}")
    if old == new:
        return State.CURRENT, new
    if template.position(old) > template.position(new):
        return State.AHEAD, new
    passed = [one for one in template.between(old, new) if one != service.target]
    service.behind = [*passed, service.target]
    return State.BEHIND, new


def update(service: Service, copy: Path, template: Template, commit: str) -> None:
    """Update the clone, from the clone of the template, and note what that changes."""
    recorded = read_answers(copy) | {"_src_path": str(template.folder)}
    (copy / ANSWERS).write_text(yaml.safe_dump(recorded), encoding="utf-8")
    git("commit", "--quiet", "--all", "--allow-empty", "--message=Fetch from here", cwd=copy)
    import copier  # noqa: PLC0415 - it takes a second to load, which only this process needs

    try:
        copier.run_update(
            copy, vcs_ref=commit, defaults=True, overwrite=True, unsafe=True, quiet=True
        )
    except Exception as error:  # whatever the template's code raises, this service has failed
        why = str(error).strip().splitlines() or [type(error).__name__]
        raise ServiceError(f"its update fails: {why[-1]}") from error
    listed = ("diff", "--name-only", "--relative", "-z")
    service.conflicts = names(git(*listed, "--diff-filter=U", cwd=copy))
    git("add", "--all", "--", ".", cwd=copy)
    service.changed_files = names(git(*listed, "--cached", cwd=copy))
    before, after = service.answers, public(read_answers(copy))
    service.changed_answers = {
        name: [before.get(name), after.get(name)]
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    }
