"""Keeps removals reversible: git must have every file that one deletes or changes."""

import shlex
import subprocess
from collections.abc import Sequence

from development.scaffolding.workspace import ScaffoldError, Workspace, indented


def check_committed(copy: Workspace) -> None:
    """Check that the files that change are committed.

    Raises:
        ScaffoldError: one is not, or has changed since.
    """
    paths = [path for path in copy.changes() if copy.existed(path)]
    if not paths:
        return
    options = ["--porcelain", "--untracked-files=all", "--ignored", "--"]
    command = ["git", "--literal-pathspecs", "status", *options, *paths]
    try:
        done = subprocess.run(
            command, cwd=copy.service, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise _refusal("git cannot be started", [str(error)]) from error
    if done.returncode:
        raise _refusal("git does not know this folder", done.stderr.splitlines())
    if done.stdout:
        changed = [line[3:] for line in done.stdout.splitlines()]
        raise _refusal("These files are new or have changed since the last commit", changed)


def commands(copy: Workspace, changed: Sequence[str]) -> list[str]:
    """Return the shell commands that undo a change."""
    old = [path for path in changed if copy.existed(path)]
    new = [path for path in changed if not copy.existed(path)]
    undo = [["git", "restore", "--", *old], ["rm", "--", *new]]
    return [shlex.join(command) for command, paths in zip(undo, (old, new), strict=True) if paths]


def _refusal(reason: str, details: Sequence[str]) -> ScaffoldError:
    lines = [f"{reason}:", *indented(details)]
    lines += ["Commit first: without a commit, nobody could undo the removal."]
    return ScaffoldError("\n".join(lines))
