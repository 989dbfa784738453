"""Refuse an update that would lose data, before copier changes any file.

Copier runs this script before each update, in the service's folder, with the name of the answers
file, and with the package's name if it was given on the command line.

`make template-update` runs in a temporary repository, where most of these problems cannot occur. A
plain `copier update`, and the updaters of releases before v1.3.0, run in the service's repository.
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
    """Run git in the service's folder and return its output."""
    done = subprocess.run(["git", *arguments], capture_output=True, check=True)
    return os.fsdecode(done.stdout)


def names(*arguments: str) -> list[str]:
    """Return the names that a git command with the option `-z` lists."""
    return [name for name in git(*arguments).split("\0") if name]


def package(answers_file: str, new_name: str) -> Iterator[str]:
    """Check that the package has its recorded name, and that the update does not change it."""
    name = str(yaml.safe_load(Path(answers_file).read_text(encoding="utf-8"))["package_name"])
    if new_name and new_name != name:
        yield (
            f"package_name: this service's package is {name}, and an update cannot rename it. "
            f"Leave package_name out."
        )
    elif not Path(name).is_dir() and (TEMPLATE / "{{ package_name }}").is_dir():
        yield (
            f"package_name: {answers_file} says {name}, but there is no folder {name}. Write the "
            f"package's name into {answers_file} and commit the change."
        )


def features(answers_file: str) -> Iterator[str]:
    """Find code of the service where the release with `features.py` puts that file."""
    folder = Path(
        str(yaml.safe_load(Path(answers_file).read_text(encoding="utf-8"))["package_name"])
    )
    if (folder / "internal/resources.py").is_file():
        return  # the service has that release
    template_file = TEMPLATE / "{{ package_name }}/features.py"
    for path in (folder / "features.py", folder / "features"):
        if template_file.is_file() and path.exists() and not _is_same(path, template_file):
            yield (
                f"{path}: the template has a file features.py, in which a service lists what it "
                f"adds. Rename yours, such as to {path.with_stem('flags')}, and commit that."
            )


def _is_same(path: Path, other: Path) -> bool:
    return path.is_file() and path.read_bytes() == other.read_bytes()


def uncommitted() -> Iterator[str]:
    """Find uncommitted data that copier would overwrite."""
    options = ("--porcelain", "-z", "--no-renames", "--ignore-submodules=all")
    for line in names("status", *options, "--untracked-files=all", "--", "."):
        if line.startswith("??"):
            yield f"{line[3:]} is not committed: commit it or move it away."
    yield from beside_the_service(options)
    for path in names("ls-files", "--others", "-z", "--", ":(top)*.rej"):
        yield f"{path} would be deleted, because copier uses .rej files itself: move it away."
    entries = [(line[0], line[2:]) for line in names("ls-files", "-v", "-z", "--", ".")]
    flagged = [path for flag, path in entries if flag.islower() and Path(path).is_file()]
    for path in flagged:
        if git("hash-object", "--", path).strip() != git("rev-parse", f":./{path}").strip():
            yield f"{path} has changes that git was told to ignore: commit them."


def beside_the_service(options: tuple[str, ...]) -> Iterator[str]:
    """Find uncommitted changes elsewhere in the repository, which copier's patch would undo."""
    prefix = git("rev-parse", "--show-prefix").removesuffix("\n")
    if not prefix:
        return
    pathspecs = (":(top)", f":(top,exclude,literal){prefix}")
    for line in names("status", *options, "--untracked-files=no", "--", *pathspecs):
        yield f"{line[3:]}, outside this service, has changes that copier may undo: commit them."


def ignored() -> Iterator[str]:
    """Find ignored files at paths of the template."""
    output = names("ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z")
    ignored_files = [path for path in output if not path.endswith("/")]
    if ignored_files:
        expected = set(templates())
        for path in ignored_files:
            if Path(re.sub(r"^[^/]+", _package, path)) in expected or Path(path) in expected:
                yield f"{path} is ignored by git, but the template has a file there: move it away."


def _package(folder: re.Match[str]) -> str:
    """Replace the package's name with the template's placeholder."""
    is_package = (Path(folder[0]) / "main.py").is_file()
    return "{{ package_name }}" if is_package else folder[0]


def templates() -> Iterator[Path]:
    """Return the path in a service of every file of the template."""
    for path in TEMPLATE.rglob("*"):
        if path.is_file():
            parts = [re.sub(r"\{%.*?%\}", "", part) for part in path.relative_to(TEMPLATE).parts]
            yield Path(*parts[:-1], parts[-1].removesuffix(".jinja"))


def main(answers_file: str, new_name: str) -> None:
    """Report all problems and stop the update if there are any."""
    problems = [
        *package(answers_file, new_name),
        *features(answers_file),
        *uncommitted(),
        *ignored(),
    ]
    if problems:
        sys.exit("\n".join(["The update did not start, and nothing was changed:", *problems]))


if __name__ == "__main__":
    main(*sys.argv[1:])
