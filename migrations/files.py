"""Save a service's edits that copier would lose in an update.

Copier runs this script after each update, in the service's folder, with the name of the answers
file. The script merges three versions of a file: the service's last commit, the old release's
render and the new release's render.

- If the template renamed a file, the service's edits move to the new path. A file that the service
  deleted stays deleted. If the service already has a file at the new path, copier's merge of it is
  kept, and the file at the old path is saved.
- If the template deleted a file that the service owns or edited, it is saved as `.saved`.
- Edits that git could not apply as a patch (bytes that are not UTF-8, white space settings), and
  conflicts caused only by a git hook, are merged again.
- If the service and the release both added lines at one place of a shared file, both stay.
- Links and submodules of the service at paths of the template are restored.
- The service's own files that import a deleted module are reported.

To rename a file of the template, move it in `template/` and add both paths to `RENAMES`. You may
keep a module at the old path that re-exports the names: edits are never merged into it.
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
    "{package_name}/internal/kafka/consuming/lanes.py": (
        "{package_name}/internal/kafka/consuming/key_queues.py"
    ),
    "{package_name}/internal/kafka/outbox/lines.py": (
        "{package_name}/internal/kafka/outbox/dispatcher.py"
    ),
    "{package_name}/internal/kafka/outbox/troubles.py": (
        "{package_name}/internal/kafka/outbox/failures.py"
    ),
    "development/updating/bringing.py": "development/updating/update.py",
}
"""Renamed paths in a service: old path to new path."""

CATALOGUE: Final[Mapping[str, Mapping[str, Mapping[str, str]]]] = yaml.safe_load(
    (Path(__file__).parent.parent / "copier.yml").read_text(encoding="utf-8")
)["catalogue"]["default"]
"""The features of the template."""

SEEDS: Final[Sequence[str]] = tuple(
    path.lstrip("/") for feature in CATALOGUE.values() for path in feature.get("frozen", {})
)
"""Files that come with a feature but belong to the service."""

SHARED: Final = ("pyproject.toml", ".gitignore", ".dockerignore", ".env.example")
"""Files to which services add their own lines."""

MOST_CONFLICTS: Final = 127
"""`git merge-file` exits with the number of conflicts, up to this. Other statuses are failures."""

LABELS: Final = ("before updating", "last update", "after updating")
"""The labels of copier's conflict markers."""

LOSSY: Final = frozenset({"error", "error-all", "fix", "strip"})
"""Values of git's setting `apply.whitespace` that make git drop or change edits."""

PLAIN, EXECUTABLE = "100644", "100755"
CLASSIC: Final = ("-c", "merge.conflictStyle=merge")
CONFLICT: Final = re.compile(
    rb"^<{7} ours\n(.*?)^\|{7} base\n(.*?)^={7}\n(.*?)^>{7} theirs\n", re.DOTALL | re.MULTILINE
)


def git(*arguments: str, text: bytes = b"") -> bytes:
    """Run git in the service's folder and return its output."""
    done = subprocess.run(["git", *arguments], input=text, capture_output=True, check=True)
    return done.stdout


def names(*arguments: str) -> list[str]:
    """Return the names that a git command with the option `-z` lists."""
    return [os.fsdecode(name) for name in git(*arguments).split(b"\0") if name]


def setting(name: str) -> str:
    """Return a value of git's configuration, or an empty string."""
    command = ["git", "config", "--get", name]
    return subprocess.run(command, capture_output=True, check=False, text=True).stdout.strip()


def say(line: str) -> None:
    """Add a line to the updater's report, or print it if the updater is not running."""
    line = line.encode(errors="surrogateescape").decode(errors="replace")
    if report := os.environ.get("TEMPLATE_UPDATE_FINDINGS"):
        with Path(report).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    else:
        print(line)


def render(answers: Mapping[str, object], folder: Path) -> Path:
    """Render the recorded release with the recorded answers, without the service's own files."""
    import copier  # noqa: PLC0415 -- it is slow to load, and most updates do not need it

    service = folder / "service"
    service.mkdir()
    (service / ".copier-answers.yml").write_text("{}\n", encoding="utf-8")  # marks a service
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
    """Return a text with Unix line endings, as git stores it."""
    return text.replace(b"\r\n", b"\n")


@dataclass(frozen=True)
class Merge:
    """The result of a three-way merge. For a binary file, it is the service's version."""

    text: bytes
    conflicts: bool


def merge(ours: bytes, base: bytes, theirs: bytes) -> Merge:
    """Merge the service's and the release's changes of a file, with conflict markers."""
    windows = b"\r\n" in theirs and b"\r\n" in base
    if windows:  # this machine's git checks out every file with Windows line endings
        ours, base, theirs = plain(ours), plain(base), plain(theirs)
    if ours in {base, theirs}:
        merged = Merge(theirs, conflicts=False)
    elif base == theirs:
        merged = Merge(ours, conflicts=False)
    else:
        merged = merge_lines(ours, base, theirs)
    return Merge(merged.text.replace(b"\n", b"\r\n"), merged.conflicts) if windows else merged


def merge_lines(ours: bytes, base: bytes, theirs: bytes) -> Merge:
    """Merge three texts with git."""
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
    """Merge texts in which both sides added lines at the same place. The release's lines go first.

    Returns:
        The merged text, or None if one side also changed or removed lines there.
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
    """Return whether a text is valid TOML, which has no duplicate keys."""
    try:
        tomllib.loads(text.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False
    return True


@dataclass(frozen=True)
class Update:
    """The finished update of the service in the current folder."""

    answers_file: str
    folder: Path

    @cached_property
    def modes(self) -> dict[str, str]:
        """The mode of each file, link and submodule in the service's last commit."""
        return {path: mode for path, (mode, _, _) in self.entries.items()}

    @cached_property
    def entries(self) -> dict[str, list[str]]:
        """The mode, kind and object of each path in the service's last commit."""
        lines = (entry.partition("\t") for entry in names("ls-tree", "-rz", "HEAD"))
        return {path: head.split() for head, _, path in lines}

    @cached_property
    def files(self) -> list[str]:
        """The files in the service's last commit, without links and submodules."""
        return [path for path, mode in self.modes.items() if mode in {PLAIN, EXECUTABLE}]

    @cached_property
    def answers(self) -> dict[str, object]:
        """The recorded answers before the update."""
        answers: dict[str, object] = yaml.safe_load(self.committed(self.answers_file))
        return answers

    @cached_property
    def old(self) -> Path:
        """A render of the service's old release."""
        (self.folder / "old").mkdir()
        return render(self.answers, self.folder / "old")

    @cached_property
    def new(self) -> Path:
        """A render of the service's new release."""
        (self.folder / "new").mkdir()
        answers = yaml.safe_load(Path(self.answers_file).read_text(encoding="utf-8"))
        return render(answers, self.folder / "new")

    def committed(self, path: str) -> bytes:
        """Return the content of a file in the service's last commit."""
        return git("cat-file", "blob", f"HEAD:./{path}")

    def was_deleted(self, path: str) -> bool:
        """Return whether a path no longer exists after the update."""
        return not os.path.lexists(path)

    def renames(self) -> dict[str, str]:
        """Return the files that this update renamed: old path to new path."""
        steps = {self.path(old): self.path(new) for old, new in RENAMES.items()}
        renames = {}
        for old, step in steps.items():
            new, visited = step, {old}
            while new in steps and new not in visited and not Path(new).exists():
                visited.add(new)
                new = steps[new]
            if new != old and Path(new).exists() and new not in self.modes:
                renames[old] = new
        return renames

    def path(self, pattern: str) -> str:
        """Return a path with the name of this service's package."""
        return pattern.format(package_name=self.answers["package_name"])

    def finish(self) -> None:
        """Move the edits of renamed files, and save or merge other edits."""
        renames = self.renames()
        deleted = {path for path in self.files if self.was_deleted(path)}
        self.restore_links()
        for path, new in renames.items():
            if (self.old / path).is_file():
                self.move_edits(path, new)
        for path in sorted(deleted - renames.keys()):
            self.save(path)
        for path in sorted(self.badly_merged() - deleted - {*renames.values()}):
            self.merge_again(path)
        self.join_additions()
        self.keep_ignored()
        self.report_saved_seeds()
        self.report_broken_imports(deleted)

    def restore_links(self) -> None:
        """Restore links of the service that copier replaced with files of the template."""
        for path, mode in self.modes.items():
            if mode not in {PLAIN, EXECUTABLE} and self.was_deleted(path):
                with suppress(subprocess.CalledProcessError):
                    git("checkout-index", "--quiet", "--force", "--", path)
                say(f"Kept {path} unchanged: this service has a link there.")

    def move_edits(self, path: str, new: str) -> None:
        """Merge the service's edits of a renamed file into the file at the new path."""
        if path not in self.modes:
            Path(new).unlink()
            say(f"Did not add {new}: this service had deleted {path}, its old name.")
            return
        if path not in self.files:
            say(f"Added {new} without your edits: {path}, its old name, is a link in this service.")
            return
        base, theirs = (self.old / path).read_bytes(), Path(new).read_bytes()
        self.copy_mode(path, new)
        ours = self.committed(path)
        if plain(ours) == plain(base):
            return
        if b"\0" in ours:
            self.save(path)
            return
        merged = merge(ours, base, theirs)
        Path(new).write_bytes(merged.text)
        say(f"Moved your changes of {path} to {new}.")
        if merged.conflicts:
            self.mark(new, self.modes[path], (base, ours, theirs))
        if not self.was_deleted(path):
            git("reset", "--quiet", "--", path)
            Path(path).write_bytes((self.new / path).read_bytes())

    def copy_mode(self, path: str, new: str) -> None:
        """Make a renamed file executable if it was executable in the service."""
        if self.modes[path] == EXECUTABLE and not os.access(new, os.X_OK):
            mode = Path(new).stat().st_mode
            Path(new).chmod(mode | (mode & 0o444) >> 2)

    def mark(self, path: str, mode: str, stages: tuple[bytes, bytes, bytes]) -> None:
        """Record a conflict in git's index: base, the service's version, the release's version."""
        place = os.fsdecode(git("rev-parse", "--show-prefix")).removesuffix("\n") + path
        lines = [f"0 {'0' * 40}\t{place}\0"]
        for stage, text in enumerate(stages, start=1):
            blob = git("hash-object", "-w", "--no-filters", "--stdin", text=plain(text))
            lines.append(f"{mode} {blob.decode().strip()} {stage}\t{place}\0")
        git("update-index", "-z", "--index-info", text=os.fsencode("".join(lines)))

    def save(self, path: str) -> None:
        """Save a deleted file under another name if the service edited or owns it."""
        text, base = self.committed(path), self.old / path
        is_unchanged = base.is_file() and plain(base.read_bytes()) == plain(text)
        if is_unchanged and path not in map(self.path, SEEDS):
            return
        saved, number = Path(f"{path}.saved"), 1
        while os.path.lexists(saved):
            number += 1
            saved = Path(f"{path}.saved{number}")
        saved.parent.mkdir(parents=True, exist_ok=True)
        saved.write_bytes(text)
        say(f"Saved {path} as {saved}: the template no longer has this file.")

    def badly_merged(self) -> set[str]:
        """Find files in which git may have dropped edits or reported a false conflict."""
        paths = set()
        if setting("core.hooksPath") not in {"", os.devnull} or setting("init.templateDir"):
            # A hook may have changed the files that copier compares.
            paths = {line.partition("\t")[2] for line in names("ls-files", "--unmerged", "-z")}
        lossy = setting("apply.whitespace") in LOSSY
        texts = zip(self.files, self.texts(), strict=True)
        for path, text in texts:
            if Path(path).is_symlink() or not Path(path).is_file():
                continue
            if (lossy or not is_text(text)) and plain(Path(path).read_bytes()) != plain(text):
                paths.add(path)
        return {path for path in paths if path in self.files}

    def texts(self) -> Iterator[bytes]:
        """Read all files of the last commit in one git process."""
        requests = "".join(f"{self.entries[path][2]}\n" for path in self.files)
        output, start = git("cat-file", "--batch", text=requests.encode()), 0
        for _ in self.files:
            end = output.index(b"\n", start)
            size = int(output[start:end].rsplit(b" ", 1)[1])
            yield output[end + 1 : end + 1 + size]
            start = end + size + 2

    def merge_again(self, path: str) -> None:
        """Merge a file that both releases have, instead of applying a patch."""
        old, new = self.old / path, self.new / path
        if path == self.answers_file or not (old.is_file() and new.is_file()):
            return
        sides = self.committed(path), old.read_bytes(), new.read_bytes()
        merged = merge(*sides)
        if plain(merged.text) != plain(Path(path).read_bytes()):
            Path(path).write_bytes(merged.text)
            say(f"Merged {path} line by line, because git could not apply your changes as a patch.")
        git("reset", "--quiet", "--", path)
        if merged.conflicts:
            ours, base, theirs = sides
            self.mark(path, self.modes[path], (base, ours, theirs))

    def join_additions(self) -> None:
        """Resolve the conflicts of shared files in which both sides only added lines."""
        unmerged = {line.partition("\t")[2] for line in names("ls-files", "--unmerged", "-z")}
        for path in unmerged.intersection(SHARED, self.files):
            if not ((self.old / path).is_file() and (self.new / path).is_file()):
                continue
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
        """Keep data out of git that a removed feature left on this machine."""
        if ".gitignore" not in self.files or not Path(".gitignore").is_file():
            return
        ignored_lines = (
            Path(".gitignore").read_text(encoding="utf-8", errors="replace").splitlines()
        )
        for line in self.committed(".gitignore").decode(errors="replace").splitlines():
            folder = Path(line.strip("/"))
            if line.endswith("/") and line not in ignored_lines and folder.is_dir():
                with suppress(OSError):
                    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
                    say(f"{line} is still on this machine. Git ignores it; you may delete it.")

    def report_saved_seeds(self) -> None:
        """Report saved files of a feature that is on again."""
        for path in map(self.path, SEEDS):
            if path not in self.modes and Path(path).exists() and Path(f"{path}.saved").exists():
                say(f"{path} is new. Copy what you need from {path}.saved into it.")

    def report_broken_imports(self, deleted: Collection[str]) -> None:
        """Report the service's files that import a deleted module."""
        modules = {module_name(path) for path in deleted if path.endswith(".py")}
        if not modules:
            return
        for path in self.files:
            if path.endswith(".py") and path not in deleted and Path(path).is_file():
                missing = sorted(modules.intersection(imports(path)))
                if missing:
                    say(f"{path} imports the deleted {missing[0]}: change or delete this file.")


def module_name(path: str) -> str:
    """Return the module name of a file."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(path: str) -> Iterator[str]:
    """Return the absolute names of the modules that a file may import."""
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
    """Return whether copier can handle a file's content in a patch."""
    try:
        return "\0" not in text.decode()
    except UnicodeDecodeError:
        return False


def main(answers_file: str) -> None:
    """Save the service's edits. If that fails, restore the recorded release."""
    with TemporaryDirectory() as folder:
        try:
            Update(answers_file, Path(folder)).finish()
        except BaseException:
            Path(answers_file).write_bytes(git("cat-file", "blob", f"HEAD:./{answers_file}"))
            raise


if __name__ == "__main__":
    main(sys.argv[1])
