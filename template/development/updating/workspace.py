"""A copy of the service in a temporary repository, where copier updates it.

Nothing that the user's git is configured to do takes part there, and copier sees nothing but what
this service has committed: no other service of the repository, and no ignored or untracked file.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from development.updating.repository import TemplateError, git, git_bytes, names, prefix, shown

INTERRUPTED = 130
"""The status with which a program ends that was interrupted at a prompt."""

PLAIN, EXECUTABLE, LINK = "100644", "100755", "120000"

SETTINGS = {
    "core.attributesFile": os.devnull,
    "core.autocrlf": "false",
    "core.excludesFile": os.devnull,
    "core.hooksPath": os.devnull,
    "core.symlinks": "false",  # a link is a file with its target: nothing is written through it
    "gc.auto": "0",
    "init.defaultBranch": "main",
    "maintenance.auto": "false",
    "safe.directory": "*",
    "user.name": "Template update",
    "user.email": "update@localhost",
}

BYTES_AS_THEY_ARE = "* -text !eol -filter -ident -working-tree-encoding\n"
"""Attributes under which git stores and writes each file unchanged."""


@dataclass(frozen=True)
class File:
    """A file as git knows it; the data of a link is its target."""

    mode: str
    data: bytes


@dataclass(frozen=True)
class Commit:
    """The files of the service's last commit."""

    files: Mapping[str, File]
    mounts: frozenset[str]
    """Submodules and links to folders: what lies below them is not this service's."""


@dataclass(frozen=True)
class Result:
    """What an update makes of the files."""

    written: Mapping[str, File]
    deleted: frozenset[str]
    unmerged: Sequence[tuple[str, int, str, bytes]] = ()
    """What git shall know of conflicts: path, stage, mode and data of each side."""
    notes: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    """The paths of the files before the update."""


def last_commit() -> Commit:
    """Read the files of the service's last commit, byte for byte."""
    listed = git("ls-tree", "-r", "-z", "--full-tree", f"HEAD:{prefix().rstrip('/')}")
    entries = {path: head.split()[:3] for head, _, path in map(_split, names(listed))}
    blobs = [one for _, kind, one in entries.values() if kind == "blob"]
    data = dict(zip(blobs, contents(blobs), strict=True))
    files = {
        path: File(mode, data[one]) for path, (mode, kind, one) in entries.items() if kind == "blob"
    }
    submodules = {path for path, (_, kind, _) in entries.items() if kind != "blob"}
    links = {path for path, file in files.items() if file.mode == LINK}
    folders = {path for path in links if _target(path, files[path]) not in files}
    kept = {path: file for path, file in files.items() if path not in folders}
    return Commit(kept, frozenset(submodules | folders))


def _split(line: str) -> tuple[str, str, str]:
    return line.partition("\t")


def _target(path: str, link: File) -> str:
    """Return the path in the service that a link points to."""
    return os.path.normpath(os.path.join(os.path.dirname(path), os.fsdecode(link.data)))  # noqa: PTH118, PTH120 -- git's path, not this machine's


def contents(objects: Sequence[str]) -> Iterator[bytes]:
    """Read objects of the service's repository, in their order."""
    answer = git_bytes("cat-file", "--batch", text="".join(f"{one}\n" for one in objects).encode())
    start = 0
    for _ in objects:
        end = answer.index(b"\n", start)
        size = int(answer[start:end].rsplit(b" ", 1)[1])
        yield answer[end + 1 : end + 1 + size]
        start = end + size + 2


@dataclass(frozen=True)
class Workspace:
    """The temporary repository."""

    folder: Path
    commit: Commit
    rewrites: Mapping[str, str] = field(default_factory=dict)
    """URLs that git fetches from somewhere else, each with that place."""

    @property
    def environment(self) -> dict[str, str]:
        """Variables under which git does as it is delivered, whoever runs it."""
        settings = SETTINGS | {f"url.{to}.insteadOf": url for url, to in self.rewrites.items()}
        variables = {name: one for name, one in os.environ.items() if not name.startswith("GIT_")}
        for number, (name, one) in enumerate(settings.items()):
            variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": one}
        return variables | {
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_CONFIG_COUNT": str(len(settings)),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TEMPLATE_DIR": "",
            "GIT_TERMINAL_PROMPT": "0",
        }

    def git(self, *arguments: str, text: bytes = b"") -> bytes:
        """Return what git answers in the temporary repository."""
        done = subprocess.run(
            ("git", *arguments),
            cwd=self.folder,
            env=self.environment,
            check=False,
            capture_output=True,
            input=text or None,
        )
        if done.returncode:
            reason = shown(os.fsdecode(done.stderr)).strip()
            raise TemplateError(f"The update could not be prepared beside the service: {reason}")
        return done.stdout

    def fill(self) -> None:
        """Write the service's last commit into the repository, and commit it."""
        for path, file in self.commit.files.items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.data)
            target.chmod(0o755 if file.mode == EXECUTABLE else 0o644)
        self.git("init", "--quiet")
        (self.folder / ".git/info").mkdir(exist_ok=True)
        (self.folder / ".git/info/attributes").write_text(BYTES_AS_THEY_ARE)
        self.git("add", "--all", "--force")
        for path, file in self.commit.files.items():
            if file.mode == LINK:
                blob = self.git("hash-object", "-w", "--stdin", text=file.data).decode().strip()
                self.git("update-index", "--cacheinfo", f"{LINK},{blob},{path}")
        self.git("commit", "--quiet", "--message=The service before the update")

    def update(self, release: str, asked: Sequence[str]) -> tuple[str, ...]:
        """Let copier merge a release into the copy, and return what the release says of files.

        Raises:
            TemplateError: copier, or what the release runs in an update, says why it cannot be.
        """
        findings = self.folder.with_name("findings")
        questions = [option for name in asked for option in ("--ask", name)]
        command = [sys.executable, "-P", "-m", "copier", "update", "--trust", "--defaults"]
        command += ["--quiet", "--vcs-ref", release, *questions, str(self.folder)]
        done = subprocess.run(
            command,
            env=self.environment | {"TEMPLATE_UPDATE_FINDINGS": str(findings)},
            check=False,
            stderr=subprocess.PIPE,
            stdout=None if asked else subprocess.DEVNULL,
        )
        if done.returncode in {-signal.SIGINT, INTERRUPTED}:
            raise KeyboardInterrupt
        if done.returncode:
            raise TemplateError(
                f"The release {release} could not be applied, and nothing was changed: "
                f"{_reason(os.fsdecode(done.stderr))}"
            )
        return tuple(findings.read_text().splitlines()) if findings.exists() else ()

    def result(self, notes: tuple[str, ...]) -> Result:
        """Compare the copy with the service's commit."""
        found = dict(self._files())
        before = self.commit.files
        links = {path for path, file in before.items() if file.mode == LINK}
        written = {path: file for path, file in found.items() if before.get(path) != file}
        deleted = before.keys() - found.keys()
        left = [path for path in sorted({*written, *deleted}) if self._elsewhere(path, links)]
        notes += tuple(
            f"{shown(path)} was left out, because it is, or lies below, a link or a submodule of "
            f"this service's: compare it with the release by hand."
            for path in left
        )
        return Result(
            written={path: file for path, file in written.items() if path not in left},
            deleted=frozenset(deleted - {*left}),
            unmerged=[one for one in self._unmerged() if one[0] not in left],
            notes=notes,
            known=frozenset(before),
        )

    def _elsewhere(self, path: str, links: set[str]) -> bool:
        """Say whether a path leads through something that the service put there instead."""
        places = [path, *map(str, Path(path).parents)]
        return any(place in self.commit.mounts or place in links for place in places)

    def _files(self) -> Iterator[tuple[str, File]]:
        """Give every file of the copy."""
        for path in self.folder.rglob("*"):
            name = str(path.relative_to(self.folder))
            if path.is_dir() or name.startswith(".git/"):
                continue
            before = self.commit.files.get(name)
            data = path.read_bytes()
            mode = EXECUTABLE if path.stat().st_mode & 0o100 else PLAIN
            yield name, File(LINK if before and before.mode == LINK else mode, data)

    def _unmerged(self) -> Iterator[tuple[str, int, str, bytes]]:
        """Give each side of each conflict that git knows of."""
        for line in names(os.fsdecode(self.git("ls-files", "--unmerged", "-z"))):
            head, _, path = line.partition("\t")
            mode, blob, stage = head.split()
            yield path, int(stage), mode, self.git("cat-file", "blob", blob)


def _reason(printed: str) -> str:
    """Return what a failed update says; of a traceback only its last line is shown."""
    lines = [line for line in shown(printed).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith((" ", "Traceback "))]
    return "\n".join(told) or "copier did not say why"
