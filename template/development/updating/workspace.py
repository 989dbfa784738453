"""A temporary repository with a copy of the service, in which copier performs the update.

It contains only committed files of this service: no ignored or untracked files, and no other
service of the same repository. The user's git configuration does not apply there.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from development.updating.repository import (
    TemplateError,
    git,
    git_bytes,
    prefix,
    printable,
    split_names,
)

INTERRUPTED = 130
"""Exit status of a program that was interrupted with Ctrl-C."""

PLAIN, EXECUTABLE, LINK = "100644", "100755", "120000"

GIT_SETTINGS = {
    "core.attributesFile": os.devnull,
    "core.autocrlf": "false",
    "core.excludesFile": os.devnull,
    "core.hooksPath": os.devnull,
    "core.symlinks": "false",  # a link becomes a file with its target: no write follows the link
    "gc.auto": "0",
    "init.defaultBranch": "main",
    "maintenance.auto": "false",
    "safe.directory": "*",
    "user.name": "Template update",
    "user.email": "update@localhost",
}

NO_CONVERSION = "* -text !eol -filter -ident -working-tree-encoding\n"
"""Attributes with which git stores and writes every file unchanged."""


def isolated_environment(rewrites: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return environment variables with which git ignores the user's configuration.

    Args:
        rewrites: URLs that git replaces with another URL.
    """
    settings = GIT_SETTINGS | {
        f"url.{replacement}.insteadOf": url for url, replacement in (rewrites or {}).items()
    }
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    for number, (name, value) in enumerate(settings.items()):
        variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return variables | {
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": str(len(settings)),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TEMPLATE_DIR": "",
        "GIT_TERMINAL_PROMPT": "0",
    }


@dataclass(frozen=True)
class File:
    """A file in git: its mode and data. The data of a link is its target."""

    mode: str
    data: bytes


@dataclass(frozen=True)
class Commit:
    """The files of the service's last commit."""

    files: Mapping[str, File]
    mounts: frozenset[str]
    """Submodules and links to folders. The files below them do not belong to this service."""


@dataclass(frozen=True)
class Result:
    """The changes that an update makes to the files."""

    written: Mapping[str, File]
    deleted: frozenset[str]
    unmerged: Sequence[tuple[str, int, str, bytes]] = ()
    """The sides of each conflict for git's index: path, stage, mode and data."""
    notes: tuple[str, ...] = ()
    before: frozenset[str] = frozenset()
    """The paths of all files before the update."""


def last_commit() -> Commit:
    """Read the files of the service's last commit."""
    output = git("ls-tree", "-r", "-z", "--full-tree", f"HEAD:{prefix().rstrip('/')}")
    rows = [row.partition("\t") for row in split_names(output)]
    entries = {path: head.split()[:3] for head, _, path in rows}
    blobs = [name for _, kind, name in entries.values() if kind == "blob"]
    data = dict(zip(blobs, read_blobs(blobs), strict=True))
    files = {
        path: File(mode, data[blob])
        for path, (mode, kind, blob) in entries.items()
        if kind == "blob"
    }
    submodules = {path for path, (_, kind, _) in entries.items() if kind != "blob"}
    links = {path for path, file in files.items() if file.mode == LINK}
    folders = {path for path in links if link_target(path, files[path]) not in files}
    own_files = {path: file for path, file in files.items() if path not in folders}
    return Commit(own_files, frozenset(submodules | folders))


def link_target(path: str, link: File) -> str:
    """Return the path that a link points to."""
    return os.path.normpath(os.path.join(os.path.dirname(path), os.fsdecode(link.data)))  # noqa: PTH118, PTH120 -- git's path, not this machine's


def read_blobs(blobs: Sequence[str]) -> Iterator[bytes]:
    """Read blobs of the service's repository in one git process."""
    requests = "".join(f"{blob}\n" for blob in blobs).encode()
    output, start = git_bytes("cat-file", "--batch", text=requests), 0
    for _ in blobs:
        end = output.index(b"\n", start)
        size = int(output[start:end].rsplit(b" ", 1)[1])
        yield output[end + 1 : end + 1 + size]
        start = end + size + 2


@dataclass(frozen=True)
class Workspace:
    """The temporary repository."""

    folder: Path
    commit: Commit
    rewrites: Mapping[str, str] = field(default_factory=dict)
    """URLs that git replaces with another URL."""

    def git(self, *arguments: str, text: bytes = b"") -> bytes:
        """Run git in the temporary repository and return its output."""
        done = subprocess.run(
            ("git", *arguments),
            cwd=self.folder,
            env=isolated_environment(),
            check=False,
            capture_output=True,
            input=text or None,
        )
        if done.returncode:
            reason = printable(os.fsdecode(done.stderr)).strip()
            raise TemplateError(f"The temporary repository for the update failed: {reason}")
        return done.stdout

    def fill(self) -> None:
        """Write the service's last commit into the repository, and commit it there."""
        for path, file in self.commit.files.items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.data)
            target.chmod(0o755 if file.mode == EXECUTABLE else 0o644)
        self.git("init", "--quiet")
        (self.folder / ".git/info").mkdir(exist_ok=True)
        (self.folder / ".git/info/attributes").write_text(NO_CONVERSION)
        self.git("add", "--all", "--force")
        for path, file in self.commit.files.items():
            if file.mode == LINK:
                blob = self.git("hash-object", "-w", "--stdin", text=file.data).decode().strip()
                self.git("update-index", "--cacheinfo", f"{LINK},{blob},{path}")
        self.git("commit", "--quiet", "--message=The service before the update")

    def update(self, release: str, questions: Sequence[str]) -> tuple[str, ...]:
        """Run `copier update` in the copy.

        Args:
            release: the tag to update to.
            questions: the questions to ask in the terminal. Other answers stay as they are.

        Returns:
            Notes for the user from the scripts that the template runs in an update.

        Raises:
            TemplateError: copier or one of these scripts failed.
        """
        findings = self.folder.with_name("findings")
        ask_options = [option for name in questions for option in ("--ask", name)]
        command = [sys.executable, "-P", "-m", "copier", "update", "--trust", "--defaults"]
        command += ["--quiet", "--vcs-ref", release, *ask_options, str(self.folder)]
        environment = isolated_environment(self.rewrites)
        done = subprocess.run(
            command,
            env=environment | {"TEMPLATE_UPDATE_FINDINGS": str(findings)},
            check=False,
            stderr=subprocess.PIPE,
            stdout=None if ask_options else subprocess.DEVNULL,
        )
        if done.returncode in {-signal.SIGINT, INTERRUPTED}:
            raise KeyboardInterrupt
        if done.returncode:
            raise TemplateError(
                f"The update to {release} failed, and nothing was changed: "
                f"{error_message(os.fsdecode(done.stderr))}"
            )
        return tuple(findings.read_text().splitlines()) if findings.exists() else ()

    def result(self, notes: tuple[str, ...]) -> Result:
        """Compare the updated copy with the service's commit."""
        after = dict(self.files())
        before = self.commit.files
        links = {path for path, file in before.items() if file.mode == LINK}
        written = {path: file for path, file in after.items() if before.get(path) != file}
        deleted = before.keys() - after.keys()
        skipped = [path for path in sorted({*written, *deleted}) if self.is_linked(path, links)]
        notes += tuple(
            f"{printable(path)} was not updated, because this service has a link or a submodule "
            f"there: compare it with the release yourself."
            for path in skipped
        )
        return Result(
            written={path: file for path, file in written.items() if path not in skipped},
            deleted=frozenset(deleted - {*skipped}),
            unmerged=[entry for entry in self.unmerged() if entry[0] not in skipped],
            notes=notes,
            before=frozenset(before),
        )

    def is_linked(self, path: str, links: set[str]) -> bool:
        """Return whether a path is, or is below, a link or a submodule of the service."""
        places = [path, *map(str, Path(path).parents)]
        return any(place in self.commit.mounts or place in links for place in places)

    def files(self) -> Iterator[tuple[str, File]]:
        """Read every file of the copy."""
        for path in self.folder.rglob("*"):
            name = str(path.relative_to(self.folder))
            if path.is_dir() or name.startswith(".git/"):
                continue
            before = self.commit.files.get(name)
            mode = EXECUTABLE if path.stat().st_mode & 0o100 else PLAIN
            yield name, File(LINK if before and before.mode == LINK else mode, path.read_bytes())

    def unmerged(self) -> Iterator[tuple[str, int, str, bytes]]:
        """Read the sides of each conflict from git's index."""
        for entry in split_names(os.fsdecode(self.git("ls-files", "--unmerged", "-z"))):
            head, _, path = entry.partition("\t")
            mode, blob, stage = head.split()
            yield path, int(stage), mode, self.git("cat-file", "blob", blob)


def error_message(printed: str) -> str:
    """Return the error output of a failed update, with only the last line of a traceback."""
    lines = [line for line in printable(printed).splitlines() if line.strip()]
    messages = [line for line in lines if not line.startswith((" ", "Traceback "))]
    return "\n".join(messages) or "copier printed no reason"
