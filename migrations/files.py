"""Finish an update with the files that copier would drop, whatever the service wrote in them.

Copier deletes a file that the new release lacks, edits and all. So it runs this file after each
update, in the service's folder, with the answers file's name. A renamed file takes the edits along,
merged three ways: from the service's last commit, the old release's render and the new one's. Any
other file that is the service's, or that it edited, is saved beside its old place as `.saved`.
Each is named on standard output. What the service deleted stays deleted. A file at a new path that
the service has already is left as copier merged it, and the old one is saved.

To rename a file of the template's, move it in `template/` and add its two paths to `RENAMES`. A new
file may stay at the old path, to pass on what others import from there: it is never merged with.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RENAMES: Final[Mapping[str, str]] = {
    "{package_name}/internal/database/pool.py": "{package_name}/internal/database/fair_pool.py",
}
"""Paths in a service that later releases renamed, old to new; `{package_name}` is the service's."""

SEEDS: Final[Sequence[str]] = (
    "{package_name}/db/__init__.py",
    "{package_name}/consumers/__init__.py",
)
"""Files that come and go with a feature, and yet are the service's."""

MOST_CONFLICTS: Final = 127
"""The highest status in which `git merge-file` counts conflicts; others tell of a failure."""

LABELS: Final = ("before updating", "last update", "after updating")
"""What copier writes beside conflict markers."""


def git(*arguments: str, text: bytes = b"") -> bytes:
    """Return what git answers in the service's folder to a command that succeeds."""
    done = subprocess.run(["git", *arguments], input=text, capture_output=True, check=True)
    return done.stdout


def render(answers: Mapping[str, object], folder: Path) -> Path:
    """Render the release that answers were recorded with, once more, into a folder."""
    import copier  # noqa: PLC0415 -- it is slow to load, and most updates get by without

    copier.run_copy(
        str(answers["_src_path"]),
        folder / "service",
        data={name: answer for name, answer in answers.items() if not name.startswith("_")},
        vcs_ref=str(answers["_commit"]),
        defaults=True,
        unsafe=True,
        quiet=True,
    )
    return folder / "service"


@dataclass(frozen=True)
class Update:
    """The update that copier has just made of the service in the current folder."""

    answers_file: str

    @cached_property
    def before(self) -> frozenset[str]:
        """The files of the service's last commit."""
        return frozenset(
            filter(None, git("ls-tree", "-rz", "--name-only", "HEAD").decode().split("\0"))
        )

    @cached_property
    def answers(self) -> dict[str, object]:
        """The answers that were recorded before the update."""
        answers: dict[str, object] = yaml.safe_load(self.committed(self.answers_file))
        return answers

    def committed(self, path: str) -> bytes:
        """Return what the service's last commit has at a path."""
        return git("show", f"HEAD:./{path}")

    def was_deleted(self, path: str) -> bool:
        """Say whether the update has taken away a file of the last commit."""
        return not Path(path).exists() and not Path(path).is_symlink()

    def renames(self) -> dict[str, str]:
        """Return the renames that this update has made, old path to new."""
        steps = {self.path(old): self.path(new) for old, new in RENAMES.items()}
        made = {}
        for old, step in steps.items():
            new = step
            while new in steps and not Path(new).exists():
                new = steps[new]
            if Path(new).exists() and new not in self.before:
                made[old] = new
        return made

    def path(self, pattern: str) -> str:
        """Return the path that a pattern means in this service."""
        return pattern.format(package_name=self.answers["package_name"])

    def finish(self) -> None:
        """Carry edits along with renamed files, and save what else would be lost."""
        renames = self.renames()
        gone = {path for path in self.before if self.was_deleted(path)}
        if not (gone or renames):
            return
        with TemporaryDirectory() as folder:
            old = render(self.answers, Path(folder))
            for path, new in renames.items():
                if (old / path).is_file():
                    self.follow(path, new, old / path)
            for path in sorted(gone - renames.keys()):
                self.save(path, old / path)

    def follow(self, path: str, new: str, base: Path) -> None:
        """Merge what the service changed in a file into the file's new place, marking conflicts."""
        if path not in self.before:
            Path(new).unlink()
            print(f"Left out {new}: this service had deleted it as {path}.")
            return
        theirs, after = self.committed(path), Path(new).read_bytes()
        if theirs == base.read_bytes():
            return
        edited = base.with_name(base.name + ".edited")
        edited.write_bytes(theirs)
        labels = [option for label in LABELS for option in ("-L", label)]
        command = ["git", "merge-file", "-p", *labels, "--", str(edited), str(base), new]
        merged = subprocess.run(command, capture_output=True, check=False)
        if not 0 <= merged.returncode <= MOST_CONFLICTS:
            self.save(path, base)
            return
        Path(new).write_bytes(merged.stdout)
        print(f"Moved the changes of {path} to {new}.")
        if merged.returncode:
            self.mark(new, (base.read_bytes(), theirs, after))
        if not self.was_deleted(path):
            self.reset(path)

    def reset(self, path: str) -> None:
        """Give a file the text of the new release, which kept a file there after a rename."""
        answers = yaml.safe_load(Path(self.answers_file).read_text(encoding="utf-8"))
        with TemporaryDirectory() as folder:
            text = (render(answers, Path(folder)) / path).read_bytes()
        git("reset", "--quiet", "--", path)
        Path(path).write_bytes(text)

    def mark(self, path: str, stages: tuple[bytes, bytes, bytes]) -> None:
        """Tell git that a file has conflicts: its base, what the service has, what came."""
        place = git("rev-parse", "--show-prefix").decode().strip() + path
        lines = [f"0 {'0' * 40}\t{place}"]
        for stage, text in enumerate(stages, start=1):
            blob = git("hash-object", "-w", "--stdin", text=text).decode().strip()
            lines.append(f"100644 {blob} {stage}\t{place}")
        git("update-index", "--index-info", text="\n".join(lines).encode())

    def save(self, path: str, base: Path) -> None:
        """Keep a file that has gone under another name, if the service wrote anything in it."""
        text = self.committed(path)
        if path not in map(self.path, SEEDS) and base.is_file() and base.read_bytes() == text:
            return
        kept, number = Path(f"{path}.saved"), 1
        while kept.exists():
            number += 1
            kept = Path(f"{path}.saved{number}")
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(text)
        print(f"Saved {path} as {kept}: the template has it no longer.")


if __name__ == "__main__":
    Update(sys.argv[1]).finish()
