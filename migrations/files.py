"""Finish an update with what copier would drop, whatever the service wrote in its files.

Copier runs this file after each update, in the service's folder, with the answers file's name. It
merges three ways: the service's last commit, the old release's render and the new one's.

- A renamed file takes the service's edits along. What the service deleted stays deleted. A file at
  a new path that the service has already is left as copier merged it, and the old one is saved.
- Any other file that goes, and that is the service's or that it edited, is saved as `.saved`.
- Edits that git could not apply as a patch (bytes that are not UTF-8, settings about white space),
  and conflicts that only a git hook made, are merged again.
- Where the service and the release both added lines at one place of a shared file, both stay.
- A link or a submodule at a path of the template's stays.
- The service's own files that import what went with a feature are named.

To rename a file of the template's, move it in `template/` and add its two paths to `RENAMES`. A new
file may stay at the old path, to pass on what others import from there: it is never merged with.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

RENAMES: Final[Mapping[str, str]] = {
    "{package_name}/internal/database/pool.py": "{package_name}/internal/database/fair_pool.py",
    "development/updating/bringing.py": "development/updating/update.py",
}
"""Paths in a service that later releases renamed, old to new; `{package_name}` is the service's."""

CATALOGUE: Final[Mapping[str, Mapping[str, Mapping[str, str]]]] = yaml.safe_load(
    (Path(__file__).parent.parent / "copier.yml").read_text(encoding="utf-8")
)["catalogue"]["default"]
"""The features of the template."""

SEEDS: Final[Sequence[str]] = tuple(
    path.lstrip("/") for feature in CATALOGUE.values() for path in feature.get("frozen", {})
)
"""Files that come and go with a feature, and yet are the service's."""

SHARED: Final = ("pyproject.toml", ".gitignore", ".dockerignore", ".env.example")
"""Files in which the service adds lines to those of the template."""

MOST_CONFLICTS: Final = 127
"""The highest status in which `git merge-file` counts conflicts; others tell of a failure."""

LABELS: Final = ("before updating", "last update", "after updating")
"""What copier writes beside conflict markers."""

LOSSY: Final = frozenset({"error", "error-all", "fix", "strip"})
"""Values of git's `apply.whitespace` with which edits are dropped or altered."""

PLAIN, EXECUTABLE = "100644", "100755"
CLASSIC: Final = ("-c", "merge.conflictStyle=merge")
CONFLICT: Final = re.compile(
    rb"^<{7} ours\n(.*?)^\|{7} base\n(.*?)^={7}\n(.*?)^>{7} theirs\n", re.DOTALL | re.MULTILINE
)


def git(*arguments: str, text: bytes = b"") -> bytes:
    """Return what git answers in the service's folder to a command that succeeds."""
    done = subprocess.run(["git", *arguments], input=text, capture_output=True, check=True)
    return done.stdout


def names(*arguments: str) -> list[str]:
    """Return what git lists with `-z`."""
    return [os.fsdecode(name) for name in git(*arguments).split(b"\0") if name]


def setting(name: str) -> str:
    """Return what git is configured to do, or nothing."""
    command = ["git", "config", "--get", name]
    return subprocess.run(command, capture_output=True, check=False, text=True).stdout.strip()


def say(line: str) -> None:
    """Name what was done: in the updater's report if it runs this, else on standard output."""
    line = line.encode(errors="surrogateescape").decode(errors="replace")
    if report := os.environ.get("TEMPLATE_UPDATE_FINDINGS"):
        with Path(report).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    else:
        print(line)


def render(answers: Mapping[str, object], folder: Path) -> Path:
    """Render the release that answers were recorded with, without the service's own files."""
    import copier  # noqa: PLC0415 -- it is slow to load, and most updates get by without

    service = folder / "service"
    service.mkdir()
    (service / ".copier-answers.yml").write_text("{}\n", encoding="utf-8")  # as in a service
    copier.run_copy(
        str(answers["_src_path"]),
        service,
        data={name: answer for name, answer in answers.items() if not name.startswith("_")},
        vcs_ref=str(answers["_commit"]),
        defaults=True,
        overwrite=True,
        unsafe=True,
        quiet=True,
    )
    return service


def plain(text: bytes) -> bytes:
    """Return a text with the line endings that git stores."""
    return text.replace(b"\r\n", b"\n")


@dataclass(frozen=True)
class Merge:
    """A file merged three ways; of one that is not text, the service's side is kept."""

    text: bytes
    conflicts: bool


def merge(ours: bytes, base: bytes, theirs: bytes) -> Merge:
    """Merge what the service and the release made of a file, marking conflicts."""
    windows = b"\r\n" in theirs and b"\r\n" in base
    if windows:  # git wrote the template so; it is how this service's git writes all files
        ours, base, theirs = plain(ours), plain(base), plain(theirs)
    if ours in {base, theirs}:
        merged = Merge(theirs, conflicts=False)
    elif base == theirs:
        merged = Merge(ours, conflicts=False)
    else:
        merged = merge_lines(ours, base, theirs)
    return Merge(merged.text.replace(b"\n", b"\r\n"), merged.conflicts) if windows else merged


def merge_lines(ours: bytes, base: bytes, theirs: bytes) -> Merge:
    """Have git merge three texts."""
    with TemporaryDirectory() as folder:
        sides = [Path(folder, name) for name in ("ours", "base", "theirs")]
        for side, text in zip(sides, (ours, base, theirs), strict=True):
            side.write_bytes(text)
        labels = [option for label in LABELS for option in ("-L", label)]
        command = ["git", *CLASSIC, "merge-file", "-p", *labels, "--", *map(str, sides)]
        merged = subprocess.run(command, capture_output=True, check=False)
    if not 0 <= merged.returncode <= MOST_CONFLICTS:
        return Merge(ours, conflicts=True)
    return Merge(merged.stdout, conflicts=merged.returncode > 0)


def join(ours: bytes, base: bytes, theirs: bytes) -> bytes | None:
    """Merge texts to which both sides added lines at one place: the release's come first.

    Returns:
        Nothing if a side also changed or removed what the other changed.
    """
    with TemporaryDirectory() as folder:
        sides = {"ours": ours, "base": base, "theirs": theirs}
        for name, text in sides.items():
            Path(folder, name).write_bytes(text)
        labels = [option for name in sides for option in ("-L", name)]
        command = ["git", "merge-file", "-p", "--diff3", *labels, *sides]
        merged = subprocess.run(command, cwd=folder, capture_output=True, check=False).stdout
    if any(changed for _, changed, _ in CONFLICT.findall(merged)):
        return None
    return CONFLICT.sub(rb"\3\1", merged)


def is_toml(text: bytes) -> bool:
    """Say whether a text is TOML: no key stands in it twice."""
    try:
        tomllib.loads(text.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False
    return True


@dataclass(frozen=True)
class Update:
    """The update that copier has just made of the service in the current folder."""

    answers_file: str
    folder: Path

    @cached_property
    def modes(self) -> dict[str, str]:
        """The files, links and submodules of the service's last commit, each with its mode."""
        return {path: mode for path, (mode, _, _) in self.entries.items()}

    @cached_property
    def entries(self) -> dict[str, list[str]]:
        """What git records of each path of the service's last commit: mode, kind, object."""
        listed = (entry.partition("\t") for entry in names("ls-tree", "-rz", "HEAD"))
        return {path: head.split() for head, _, path in listed}

    @cached_property
    def files(self) -> list[str]:
        """The files of the service's last commit, without links and submodules."""
        return [path for path, mode in self.modes.items() if mode in {PLAIN, EXECUTABLE}]

    @cached_property
    def answers(self) -> dict[str, object]:
        """The answers that were recorded before the update."""
        answers: dict[str, object] = yaml.safe_load(self.committed(self.answers_file))
        return answers

    @cached_property
    def old(self) -> Path:
        """The release that the service had, rendered once more."""
        (self.folder / "old").mkdir()
        return render(self.answers, self.folder / "old")

    @cached_property
    def new(self) -> Path:
        """The release that the service gets, rendered once more."""
        (self.folder / "new").mkdir()
        answers = yaml.safe_load(Path(self.answers_file).read_text(encoding="utf-8"))
        return render(answers, self.folder / "new")

    def committed(self, path: str) -> bytes:
        """Return what the service's last commit has at a path."""
        return git("cat-file", "blob", f"HEAD:./{path}")

    def was_deleted(self, path: str) -> bool:
        """Say whether the update has taken away a file of the last commit."""
        return not os.path.lexists(path)

    def renames(self) -> dict[str, str]:
        """Return the renames that this update has made, old path to new."""
        steps = {self.path(old): self.path(new) for old, new in RENAMES.items()}
        made = {}
        for old, step in steps.items():
            new, passed = step, {old}
            while new in steps and new not in passed and not Path(new).exists():
                passed.add(new)
                new = steps[new]
            if new != old and Path(new).exists() and new not in self.modes:
                made[old] = new
        return made

    def path(self, pattern: str) -> str:
        """Return the path that a pattern means in this service."""
        return pattern.format(package_name=self.answers["package_name"])

    def finish(self) -> None:
        """Carry edits along with renamed files, and save or merge what else would be lost."""
        renames = self.renames()
        gone = {path for path in self.files if self.was_deleted(path)}
        self.keep_links()
        for path, new in renames.items():
            if (self.old / path).is_file():
                self.follow(path, new)
        for path in sorted(gone - renames.keys()):
            self.save(path)
        for path in sorted(self.lost() - gone - {*renames.values()}):
            self.merge_again(path)
        self.join_additions()
        self.keep_ignored()
        self.name_saved_seeds()
        self.name_broken_imports(gone)

    def keep_links(self) -> None:
        """Put links of the service back that stand where the template has, or had, a file."""
        for path, mode in self.modes.items():
            if mode not in {PLAIN, EXECUTABLE} and self.was_deleted(path):
                with suppress(subprocess.CalledProcessError):
                    git("checkout-index", "--quiet", "--force", "--", path)
                say(f"Left {path} as it is: it is a link of this service's.")

    def follow(self, path: str, new: str) -> None:
        """Merge what the service changed in a file into the file's new place, marking conflicts."""
        if path not in self.modes:
            Path(new).unlink()
            say(f"Left out {new}: this service had deleted it as {path}.")
            return
        if path not in self.files:
            say(f"{new} is the release's: {path}, its old name, is a link of this service's.")
            return
        base, theirs = (self.old / path).read_bytes(), Path(new).read_bytes()
        self.follow_mode(path, new)
        ours = self.committed(path)
        if plain(ours) == plain(base):
            return
        if b"\0" in ours:
            self.save(path)
            return
        merged = merge(ours, base, theirs)
        Path(new).write_bytes(merged.text)
        say(f"Moved the changes of {path} to {new}.")
        if merged.conflicts:
            self.mark(new, self.modes[path], (base, ours, theirs))
        if not self.was_deleted(path):
            git("reset", "--quiet", "--", path)
            Path(path).write_bytes((self.new / path).read_bytes())

    def follow_mode(self, path: str, new: str) -> None:
        """Make a renamed file executable if the service had made it so."""
        if self.modes[path] == EXECUTABLE and not os.access(new, os.X_OK):
            mode = Path(new).stat().st_mode
            Path(new).chmod(mode | (mode & 0o444) >> 2)

    def mark(self, path: str, mode: str, stages: tuple[bytes, bytes, bytes]) -> None:
        """Tell git that a file has conflicts: its base, what the service has, what came."""
        place = os.fsdecode(git("rev-parse", "--show-prefix")).removesuffix("\n") + path
        lines = [f"0 {'0' * 40}\t{place}\0"]
        for stage, text in enumerate(stages, start=1):
            blob = git("hash-object", "-w", "--no-filters", "--stdin", text=plain(text))
            lines.append(f"{mode} {blob.decode().strip()} {stage}\t{place}\0")
        git("update-index", "-z", "--index-info", text=os.fsencode("".join(lines)))

    def save(self, path: str) -> None:
        """Keep a file that has gone under another name, if the service wrote anything in it."""
        text, base = self.committed(path), self.old / path
        same = base.is_file() and plain(base.read_bytes()) == plain(text)
        if same and path not in map(self.path, SEEDS):
            return
        kept, number = Path(f"{path}.saved"), 1
        while os.path.lexists(kept):
            number += 1
            kept = Path(f"{path}.saved{number}")
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(text)
        say(f"Saved {path} as {kept}: the template has it no longer.")

    def lost(self) -> set[str]:
        """Find the files whose edits git may have dropped, or in which it sees a conflict."""
        found = set()
        if setting("core.hooksPath") not in {"", os.devnull} or setting("init.templateDir"):
            # A hook may have changed what copier compares.
            found = {line.partition("\t")[2] for line in names("ls-files", "--unmerged", "-z")}
        lossy = setting("apply.whitespace") in LOSSY
        texts = zip(self.files, self.texts(), strict=True)
        for path, text in texts:
            if Path(path).is_symlink() or not Path(path).is_file():
                continue
            if (lossy or not is_text(text)) and plain(Path(path).read_bytes()) != plain(text):
                found.add(path)
        return {path for path in found if path in self.files}

    def texts(self) -> Iterator[bytes]:
        """Read all files of the last commit."""
        wanted = "".join(f"{self.entries[path][2]}\n" for path in self.files)
        answer, start = git("cat-file", "--batch", text=wanted.encode()), 0
        for _ in self.files:
            end = answer.index(b"\n", start)
            size = int(answer[start:end].rsplit(b" ", 1)[1])
            yield answer[end + 1 : end + 1 + size]
            start = end + size + 2

    def merge_again(self, path: str) -> None:
        """Merge the sides of a file that both releases have, where a patch did not do it right."""
        old, new = self.old / path, self.new / path
        if path == self.answers_file or not (old.is_file() and new.is_file()):
            return
        sides = self.committed(path), old.read_bytes(), new.read_bytes()
        merged = merge(*sides)
        if plain(merged.text) != plain(Path(path).read_bytes()):
            Path(path).write_bytes(merged.text)
            say(f"Merged {path} line by line: git could not apply this service's changes to it.")
        git("reset", "--quiet", "--", path)
        if merged.conflicts:
            ours, base, theirs = sides
            self.mark(path, self.modes[path], (base, ours, theirs))

    def join_additions(self) -> None:
        """Resolve the conflicts of shared files in which both sides only added lines."""
        unmerged = {line.partition("\t")[2] for line in names("ls-files", "--unmerged", "-z")}
        for path in unmerged.intersection(SHARED, self.files):
            sides = (
                self.committed(path),
                (self.old / path).read_bytes(),
                (self.new / path).read_bytes(),
            )
            joined = join(*map(plain, sides))
            if joined is not None and (not path.endswith(".toml") or is_toml(joined)):
                Path(path).write_bytes(joined)
                git("reset", "--quiet", "--", path)

    def keep_ignored(self) -> None:
        """Keep out of git what a feature made on this machine, once the feature is off."""
        if ".gitignore" not in self.files or not Path(".gitignore").is_file():
            return
        still = Path(".gitignore").read_text(encoding="utf-8", errors="replace").splitlines()
        for line in self.committed(".gitignore").decode(errors="replace").splitlines():
            folder = Path(line.strip("/"))
            if line.endswith("/") and line not in still and folder.is_dir():
                with suppress(OSError):
                    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
                    say(f"{line} is left on this machine, ignored by git: delete it if you like.")

    def name_saved_seeds(self) -> None:
        """Name what an earlier update saved of a file that has come back with its feature."""
        for path in map(self.path, SEEDS):
            if path not in self.modes and Path(path).exists() and Path(f"{path}.saved").exists():
                say(f"{path} is new: put back into it what you need of {path}.saved.")

    def name_broken_imports(self, gone: Collection[str]) -> None:
        """Name the service's files that import a module that went with its feature."""
        modules = {module_of(path) for path in gone if path.endswith(".py")}
        if not modules:
            return
        for path in self.files:
            if path.endswith(".py") and path not in gone and Path(path).is_file():
                missing = sorted(modules.intersection(imports(path)))
                if missing:
                    say(f"{path} imports {missing[0]}, which is gone: change or delete that file.")


def module_of(path: str) -> str:
    """Return the name under which other files import a file."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(path: str) -> Iterator[str]:
    """Give the modules that a file may import, in absolute form; none if it cannot be read."""
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (SyntaxError, ValueError):
        return
    folders = path.split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = folders[: len(folders) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def is_text(text: bytes) -> bool:
    """Say whether copier can carry a text over in a patch."""
    try:
        return "\0" not in text.decode()
    except UnicodeDecodeError:
        return False


def main(answers_file: str) -> None:
    """Finish the update; if that fails, the service's release is recorded as it was."""
    with TemporaryDirectory() as folder:
        try:
            Update(answers_file, Path(folder)).finish()
        except BaseException:
            Path(answers_file).write_bytes(git("cat-file", "blob", f"HEAD:./{answers_file}"))
            raise


if __name__ == "__main__":
    main(sys.argv[1])
