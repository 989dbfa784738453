"""What an update leaves to be done around the files that it brought in."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from development.updating.repository import ROOT, git, names, shown
from development.updating.workspace import Result


def keep_ignored(result: Result) -> Iterator[str]:
    """Keep what a feature made on this machine out of git, once the feature is off, and name it."""
    if ".gitignore" not in result.written:
        return
    for path in names(git("ls-files", "--others", "--exclude-standard", "--directory", "-z")):
        if any(one == path or one.startswith(path) for one in result.written):
            continue
        if path.endswith("/") and ignore_folder(ROOT / path):
            yield f"{shown(path)} is left on this machine, ignored by git: delete it if you like."
        else:
            yield f"{shown(path)} is left on this machine. Delete it, or do not commit it."


def ignore_folder(folder: Path) -> bool:
    """Have git ignore a folder by a file in it, and say whether that could be written."""
    try:
        (folder / ".gitignore").write_text("*\n")
    except OSError:
        return False
    return True


def lock_dependencies(result: Result) -> Iterator[str]:
    """Bring uv.lock in line with what the update changed in pyproject.toml."""
    if "pyproject.toml" not in result.written:
        return
    if git("ls-files", "-z", "--", "uv.lock"):
        command = [os.environ.get("UV", "uv"), "lock", "--quiet"]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            yield "uv.lock is not in line with pyproject.toml yet: run `uv lock`."
    elif lock := lock_of_others():
        yield (
            f"{shown(lock)} may be out of line with pyproject.toml: run `uv lock` and commit it."
        )


def lock_of_others() -> str:
    """Return the path of a lock that git does not keep here: a workspace's, or an ignored one."""
    top = Path(git("rev-parse", "--show-toplevel").removesuffix("\n"))
    for folder in (ROOT, *ROOT.parents):
        if (folder / "uv.lock").exists():
            return os.path.relpath(folder / "uv.lock", ROOT)
        if folder == top:
            break
    return ""
