"""Refuse an update that would lose something, before copier changes any file.

`make template-update` prepares an update in a repository of its own, where most of this cannot
happen. A plain `copier update`, and the updaters of releases before v1.3.0, work in the service's
own repository. Copier runs this file there, in the service's folder, with the answers file's name
and the package's name if one was given.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPLATE: Final = Path(__file__).parent.parent / "template"


def git(*arguments: str) -> str:
    """Return what git answers in the current folder to a command that succeeds."""
    done = subprocess.run(["git", *arguments], capture_output=True, check=True)
    return os.fsdecode(done.stdout)


def names(*arguments: str) -> list[str]:
    """Return what git lists with `-z`."""
    return [name for name in git(*arguments).split("\0") if name]


def package(answers_file: str, given: str) -> Iterator[str]:
    """Check that the package has its recorded name, and is to keep it."""
    name = str(yaml.safe_load(Path(answers_file).read_text(encoding="utf-8"))["package_name"])
    if given and given != name:
        yield (
            f"package_name: this service's package is {name}, and an update cannot rename it: "
            f"much in it belongs to the service. Leave package_name out."
        )
    elif not Path(name).is_dir() and (TEMPLATE / "{{ package_name }}").is_dir():
        yield (
            f"package_name: {answers_file} says {name}, and there is no folder {name}. Write the "
            f"name that the package has into {answers_file} and commit that."
        )


def uncommitted() -> Iterator[str]:
    """Find what copier would overwrite, although git does not have it."""
    options = ("--porcelain", "-z", "--no-renames", "--ignore-submodules=all")
    for line in names("status", *options, "--untracked-files=all", "--", "."):
        if line.startswith("??"):
            yield f"{line[3:]} is not committed: commit it, or move it away."
    yield from beside_the_service(options)
    for path in names("ls-files", "--others", "-z", "--", ":(top)*.rej"):
        yield f"{path}: copier takes it for a rejected change and removes it. Move it away."
    listed = [(line[0], line[2:]) for line in names("ls-files", "-v", "-z", "--", ".")]
    flagged = [path for flag, path in listed if flag.islower() and Path(path).is_file()]
    for path in flagged:
        if git("hash-object", "--", path).strip() != git("rev-parse", f":./{path}").strip():
            yield f"{path} has changes, and git was told to assume that it has none: commit them."


def beside_the_service(options: tuple[str, ...]) -> Iterator[str]:
    """Find work on the other services of the repository, which copier's patch would undo."""
    prefix = git("rev-parse", "--show-prefix").removesuffix("\n")
    if not prefix:
        return
    beside = (":(top)", f":(top,exclude,literal){prefix}")
    for line in names("status", *options, "--untracked-files=no", "--", *beside):
        yield f"{line[3:]}, beside this service, has changes that copier may undo: commit them."


def ignored() -> Iterator[str]:
    """Find files that git ignores, where the template has files as well."""
    listed = names("ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z")
    hidden = [path for path in listed if not path.endswith("/")]
    if hidden:
        expected = set(templates())
        for path in hidden:
            if Path(re.sub(r"^[^/]+", _package, path)) in expected or Path(path) in expected:
                yield f"{path} is ignored by git, and the template has a file there: move it away."


def _package(folder: re.Match[str]) -> str:
    """Write the package's folder as the template does."""
    is_package = (Path(folder[0]) / "main.py").is_file()
    return "{{ package_name }}" if is_package else folder[0]


def templates() -> Iterator[Path]:
    """Give the path of each file that the template may have in a service."""
    for path in TEMPLATE.rglob("*"):
        if path.is_file():
            parts = [re.sub(r"\{%.*?%\}", "", part) for part in path.relative_to(TEMPLATE).parts]
            yield Path(*parts[:-1], parts[-1].removesuffix(".jinja"))


def main(answers_file: str, given: str) -> None:
    """Say all that stands in the way of an update, and end it."""
    found = [*package(answers_file, given), *uncommitted(), *ignored()]
    if found:
        sys.exit("\n".join(["The update was not begun, and nothing was changed:", *found]))


if __name__ == "__main__":
    main(*sys.argv[1:])
