"""Simulate the update of one service in a clone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from .git import GitError, git, names
from .places import ANSWERS, Entry, answers_files, is_url
from .report import State
from .templates import Template, TemplateError, fetch
from .trial import try_out
from .updating import UpdateError, is_original, point, update

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import JsonValue

    from .report import Service

TESTING = "its tests ran"
"""The stage with its own time limit."""


class ServiceError(Exception):
    """A place without a service, or a service that cannot be updated."""


@dataclass(frozen=True)
class Plan:
    """The options of a check, the same for all services."""

    template: str = ""
    to: str = ""
    test: bool = False
    limit: float = 120
    test_limit: float = 900
    test_workers: int = 1
    variables: Mapping[str, str] = field(default_factory=dict)


def rehearse(
    service: Service, plan: Plan, templates: Path, report_stage: Callable[[str], None]
) -> None:
    """Check a service in the current folder, and record the results.

    Args:
        service: the results, which contain only the service's place at first.
        plan: the options.
        templates: the folder for clones of templates, shared by all services.
        report_stage: called at the start of each stage.
    """
    try:
        explore(service, plan, templates, report_stage)
    except (ServiceError, TemplateError, UpdateError) as error:
        service.state, service.reason = State.UNKNOWN, str(error)
    except GitError as error:
        service.state, service.reason = State.UNKNOWN, f"git: {error}"


def explore(
    service: Service, plan: Plan, templates: Path, report_stage: Callable[[str], None]
) -> None:
    """Check a service as `rehearse` does, but raise errors."""
    report_stage("it was cloned")
    answers = clone(service, Path("clone").absolute())
    recorded = read_answers(answers)
    service.answers = public(recorded)
    service.release = str(recorded.get("_commit") or "")
    service.source = plan.template or str(recorded.get("_src_path") or "")
    if not service.release or not service.source:
        raise ServiceError(
            f"its {answers.name} does not name a template and a release (`_src_path`, `_commit`)"
        )
    report_stage("its template was fetched")
    template = fetch(service.source, templates, plan.limit / 2)
    state, commit = compare(service, template, plan.to)
    if state is State.BEHIND:
        report_stage("its update was simulated")
        try_update(service, answers, template, commit, plan.variables)
        state = State.CONFLICT if service.conflicts else state
    if plan.test and not service.conflicts:
        report_stage(TESTING)
        service.tests = try_out(answers.parent, Path("output").absolute(), plan.test_workers)
        state = state if service.tests.outcome == "passed" else State.FAILING
    service.state = state


def clone(service: Service, folder: Path) -> Path:
    """Clone a service's repository and return the path of its answers file in the clone.

    The clone copies the objects instead of linking them, because git would touch their times.
    """
    entry = Entry(service.place)
    repository, subfolder = entry.repository, entry.folder
    if not is_url(repository):
        if not Path(repository).is_dir():
            raise ServiceError("the folder does not exist")
        if git("rev-parse", "--is-bare-repository", cwd=repository).strip() != "true":
            changes = git("status", "--porcelain", "--", ".", cwd=repository)
            service.uncommitted = bool(changes)
            subfolder = git("rev-parse", "--show-prefix", cwd=repository).rstrip("\n")
            repository = git("rev-parse", "--show-toplevel", cwd=repository).rstrip("\n")
    git("clone", "--quiet", "--no-local", "--depth=1", "--no-tags", "--", repository, folder)
    answers = folder / subfolder / entry.answers
    if not answers.is_file():
        output = git("ls-files", "-z", cwd=folder)
        other_files = ", ".join(answers_files(output)) if is_url(repository) else ""
        hint = f"; name one of its folders, as in {repository}#subdirectory=FOLDER: {other_files}"
        raise ServiceError(f"its last commit has no {entry.answers}{hint if other_files else ''}")
    return answers


def read_answers(answers: Path) -> dict[str, object]:
    """Read a service's answers file."""
    try:
        recorded = yaml.safe_load(answers.read_text(encoding="utf-8"))
    except OSError as error:
        raise ServiceError(f"its {answers.name} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ServiceError(f"its {answers.name} is not YAML: {explain(error)}") from error
    if not isinstance(recorded, dict):
        raise ServiceError(f"its {answers.name} has no answers")
    return {str(name): answer for name, answer in recorded.items()}


def explain(error: yaml.YAMLError | UnicodeDecodeError) -> str:
    """Describe an error in a file in one line, with its place."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        position = error.problem_mark
        return f"{error.problem}, in line {position.line + 1}, column {position.column + 1}"
    return str(error)


def public(recorded: dict[str, object]) -> dict[str, JsonValue]:
    """Return the answers to questions as JSON values."""
    answers = {name: answer for name, answer in recorded.items() if not name.startswith("_")}
    public_answers: dict[str, JsonValue] = json.loads(json.dumps(answers, default=str))
    return public_answers


def compare(service: Service, template: Template, to: str) -> tuple[State, str]:
    """Record the releases that a service is behind; return its state and the target's commit."""
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
    passed = [release for release in template.between(old, new) if release != service.target]
    service.behind = [*passed, service.target]
    return State.BEHIND, new


def try_update(
    service: Service, answers: Path, template: Template, commit: str, variables: Mapping[str, str]
) -> None:
    """Update the clone with the template's clone, and record the changes."""
    copy, released = answers.parent, service.target in template.releases()
    is_own_release = (
        released and answers.name == ANSWERS and is_original(copy, template, service.release)
    )
    point(answers, template)
    git("commit", "--quiet", "--all", "--allow-empty", "--message=Fetch from here", cwd=copy)
    target = service.target if is_own_release else commit
    service.conflicts = update(
        copy, answers.name, target, original=is_own_release, variables=variables
    )
    git("add", "--all", "--", ".", cwd=copy)
    service.changed_files = names(
        git("diff", "--name-only", "--relative", "-z", "--cached", cwd=copy)
    )
    before, after = service.answers, public(read_answers(answers))
    service.changed_answers = {
        name: [before.get(name), after.get(name)]
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    }
