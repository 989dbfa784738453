"""The update of one service, run in its clone as its developer would run it."""

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
"""A service's own updater."""

DONE, CONFLICTS = 0, 2
LISTED = re.compile(r"^In conflict:\n((?:  .+\n?)+)", re.MULTILINE)
PLACE = re.compile(r":\d+$| \([^()]*\)$")
SHOWN = 6
"""How many lines of a failed update are kept: the last ones say why."""


class UpdateError(Exception):
    """An update that did not go through."""


def point(answers: Path, template: Template) -> None:
    """Record the clone of the template as the source of a service, and change nothing else.

    An update compares the file with its render: a value in another place or form would conflict.
    """
    text = answers.read_text(encoding="utf-8")
    node = yaml.compose(text)
    values = dict(node.value) if isinstance(node, yaml.MappingNode) else {}
    value = next((one for key, one in values.items() if key.value == "_src_path"), None)
    line = f"_src_path: {template.folder}\n"
    if value is None:
        answers.write_text(f"{text.rstrip()}\n{line}", encoding="utf-8")
        return
    start, end = value.start_mark.index, value.end_mark.index
    answers.write_text(f"{text[:start]}{template.folder}{text[end:]}", encoding="utf-8")


def is_original(copy: Path, template: Template, release: str) -> bool:
    """Say whether a service's updater is what its release shipped.

    Then it runs, as whatever it does is what will happen, also if a later release does it better.
    One that the service edited is the service's code, which a rehearsal does not run.
    """
    blobs = ("ls-tree", "-r")
    below = [f"template/{path}" for path in CODE]
    try:
        shipped = git(*blobs, release, "--", *below, cwd=template.folder)
        has = git(*blobs, "HEAD", "--", *CODE, cwd=copy)
    except GitError:
        return False
    return bool(shipped) and shipped.replace("\ttemplate/", "\t") == has


def update(
    copy: Path, answers: str, release: str, *, original: bool, variables: Mapping[str, str]
) -> list[str]:
    """Update a clone to a release, and return the files in conflict.

    Args:
        copy: the service's folder in the clone.
        answers: the name of its answers file.
        release: the tag or commit to update to.
        original: whether to run the service's own updater, and not copier alone.
        variables: the environment, with whatever git is configured to do by its owner.

    Raises:
        UpdateError: it did not go through; the message says why.
    """
    plain = ("-m", "copier", "update", "--trust", "--defaults", "--quiet", f"--vcs-ref={release}")
    own = (SCRIPT, "update", f"--to={release}")
    ended = subprocess.run(
        [sys.executable, *(own if original else (*plain, f"--answers-file={answers}"))],
        cwd=copy,
        env=dict(variables) | {"PYTHONWARNINGS": "ignore"},
        check=False,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        stdin=subprocess.DEVNULL,
    )
    if ended.returncode < 0:
        raise UpdateError(f"its update was ended by signal {-ended.returncode}")
    if ended.returncode not in ({DONE, CONFLICTS} if original else {DONE}):
        lines = ended.stderr.strip().splitlines() or [f"status {ended.returncode}"]
        raise UpdateError("its update fails: " + "\n".join(lines[-SHOWN if original else -1 :]))
    unmerged = names(git("diff", "--name-only", "--relative", "-z", "--diff-filter=U", cwd=copy))
    rejected = names(git("ls-files", "--others", "-z", "--", "*.rej", cwd=copy))
    found = sorted({*unmerged, *rejected})
    if ended.returncode == CONFLICTS and not found:
        return named(ended.stdout) or ["some file"]
    return found


def named(printed: str) -> list[str]:
    """List the files that an updater says are in conflict, without the places in them."""
    listed = LISTED.search(printed)
    lines = listed[1].splitlines() if listed else []
    return sorted({PLACE.sub("", line.strip()) for line in lines})
