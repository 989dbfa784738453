"""Update one service in its clone, as its developer would."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import yaml

from .git import GitError, git, names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .templates import Template

SCRIPT = "development/template.py"
CODE = (SCRIPT, "development/updating")
"""The files of a service's own updater."""

DONE, CONFLICTS = 0, 2
LISTED = re.compile(r"^In conflict:\n((?:  .+\n?)+)", re.MULTILINE)
PLACE = re.compile(r":\d+$| \([^()]*\)$")
SHOWN = 6
"""Number of last lines to keep of a failed update's output."""


class UpdateError(Exception):
    """A failed update."""


def point(answers: Path, template: Template) -> None:
    """Write the path of the template's clone into the answers file, and change nothing else.

    An update merges this file with its render, so other changes would conflict.
    """
    text = answers.read_text(encoding="utf-8")
    node = yaml.compose(text)
    values = dict(node.value) if isinstance(node, yaml.MappingNode) else {}
    value = next((child for key, child in values.items() if key.value == "_src_path"), None)
    line = f"_src_path: {template.folder}\n"
    if value is None:
        answers.write_text(f"{text.rstrip()}\n{line}", encoding="utf-8")
        return
    start, end = value.start_mark.index, value.end_mark.index
    answers.write_text(f"{text[:start]}{template.folder}{text[end:]}", encoding="utf-8")


def is_original(copy: Path, template: Template, release: str) -> bool:
    """Return whether a service's updater is unchanged since its release.

    An unchanged updater can run, and shows what the update will do. An edited updater is the
    service's own code, which a check does not run.
    """
    arguments = ("ls-tree", "-r")
    template_paths = [f"template/{path}" for path in CODE]
    try:
        shipped = git(*arguments, release, "--", *template_paths, cwd=template.folder)
        present = git(*arguments, "HEAD", "--", *CODE, cwd=copy)
    except GitError:
        return False
    return bool(shipped) and shipped.replace("\ttemplate/", "\t") == present


def update(
    copy: Path, answers: str, release: str, *, original: bool, variables: Mapping[str, str]
) -> list[str]:
    """Update a clone to a release, and return the files in conflict.

    Args:
        copy: the service's folder in the clone.
        answers: the name of its answers file.
        release: the tag or commit to update to.
        original: whether to run the service's own updater instead of copier alone.
        variables: the environment, with the user's git configuration.

    Raises:
        UpdateError: the update failed; the message gives the reason.
    """
    copier = ("-m", "copier", "update", "--trust", "--defaults", "--quiet", f"--vcs-ref={release}")
    updater = (SCRIPT, "update", f"--to={release}")
    done = subprocess.run(
        [sys.executable, *(updater if original else (*copier, f"--answers-file={answers}"))],
        cwd=copy,
        env=dict(variables) | {"PYTHONWARNINGS": "ignore"},
        check=False,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        stdin=subprocess.DEVNULL,
    )
    if done.returncode < 0:
        raise UpdateError(f"its update was ended by signal {-done.returncode}")
    if done.returncode not in ({DONE, CONFLICTS} if original else {DONE}):
        lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise UpdateError("its update fails: " + "\n".join(lines[-SHOWN if original else -1 :]))
    unmerged = names(git("diff", "--name-only", "--relative", "-z", "--diff-filter=U", cwd=copy))
    rejected = names(git("ls-files", "--others", "-z", "--", "*.rej", cwd=copy))
    conflicts = sorted({*unmerged, *rejected})
    if done.returncode == CONFLICTS and not conflicts:
        return named(done.stdout) or ["some file"]
    return conflicts


def named(printed: str) -> list[str]:
    """Return the files in conflict from an updater's output, without line numbers."""
    match = LISTED.search(printed)
    lines = match[1].splitlines() if match else []
    return sorted({PLACE.sub("", line.strip()) for line in lines})
