"""The service's git repository."""

import fcntl
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from development.updating.redaction import mask

ROOT = Path(__file__).resolve().parents[2]
ANSWERS = ".copier-answers.yml"

GIT_LOCATIONS = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_INDEX_FILE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
)
"""Variables that point git at another repository. Git sets them for aliases and hooks."""


class TemplateError(Exception):
    """An error message for the user. Nothing was changed."""

    def __init__(self, message: str) -> None:
        """Store the message without the credentials of its URLs."""
        super().__init__(mask(message))


class PartialUpdateError(TemplateError):
    """An error after files were changed. The message says how to undo the changes."""


def git(*arguments: str, text: str = "") -> str:
    """Run git in the service's folder and return its output."""
    return call("git", *arguments, text=text)


def git_bytes(*arguments: str, text: bytes = b"") -> bytes:
    """Run git in the service's folder and return its output as bytes."""
    return run(("git", *arguments), text, {}).stdout


def call(*command: str, text: str = "", variables: Mapping[str, str] | None = None) -> str:
    """Run a command in the service's folder and return its output."""
    return os.fsdecode(run(command, os.fsencode(text), variables or {}).stdout)


def run(
    command: tuple[str, ...], text: bytes, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    """Run a command in the service's folder; raise TemplateError with its message if it fails."""
    inherited = {name: value for name, value in os.environ.items() if name not in GIT_LOCATIONS}
    prompt_settings = {} if sys.stdin.isatty() else {"GIT_TERMINAL_PROMPT": "0"}
    environment = inherited | prompt_settings | dict(variables)
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, input=text or None
    )
    if done.returncode:
        raise TemplateError(failure_message(command[0], done))
    return done


def failure_message(program: str, done: subprocess.CompletedProcess[bytes]) -> str:
    """Return the error output of a command, or its output: git hooks may write to either."""
    printed = printable(os.fsdecode(done.stderr or done.stdout))
    messages = [
        message for message in printed.splitlines() if message and not message.startswith("hint:")
    ]
    return "\n".join(messages) or f"{program} failed with exit status {done.returncode}"


def printable(text: str) -> str:
    """Replace bytes in a path or output that are not UTF-8, which a terminal cannot print."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def git_path(name: str) -> Path:
    """Return the path of a file in this working tree's git directory."""
    return ROOT / git("rev-parse", "--git-path", name).removesuffix("\n")


def prefix() -> str:
    """Return the path from the repository's root to the service: empty, or ending in a slash."""
    return git("rev-parse", "--show-prefix").removesuffix("\n")


def split_names(output: str) -> list[str]:
    """Split the output of a git command with the option `-z`."""
    return [name for name in output.split("\0") if name]


def uncommitted_changes() -> dict[str, str]:
    """Return the paths with uncommitted changes, each with git's two status letters."""
    # Without rename detection, git lists a rename as a deleted path and a new path.
    options = ("--porcelain", "-z", "--no-renames", "--untracked-files=all")
    output = git("status", *options, "--ignore-submodules=dirty", "--", ".")
    start = prefix()
    return {entry[3:].removeprefix(start): entry[:2] for entry in split_names(output)}


def undo_commands(ignored: tuple[str, ...] = ()) -> str:
    """Return the commands that undo an update, including new files that git ignores."""
    lines = [
        "To undo the update:",
        "  git reset --quiet -- .",
        "  git restore --worktree -- .",
        "  git clean --force -d -- .",
    ]
    if ignored:
        lines.append(f"  git clean --force -d -x -- {shlex.join(ignored)}")
    return "\n".join(lines)


@contextmanager
def update_lock() -> Iterator[None]:
    """Allow one update of this working tree at a time."""
    with git_path("TEMPLATE_UPDATE_LOCK").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TemplateError(
                "Another update is running in this working tree. Try again when it has finished."
            ) from error
        yield


class UpdateRecord:
    """A file in `.git` that exists while an update writes files, and is left if it is killed."""

    def __init__(self) -> None:
        """Refer to the current commit."""
        self.path = git_path("TEMPLATE_UPDATE")
        self.head = git("rev-parse", "HEAD").strip()

    def write(self, releases: str, ignored: tuple[str, ...]) -> None:
        """Record that an update starts to write files."""
        self.path.write_text(f"{self.head}\n{releases}\n{printable(undo_commands(ignored))}\n")

    def remove(self) -> None:
        """Remove the record when the update has finished."""
        self.path.unlink(missing_ok=True)

    @property
    def message(self) -> str:
        """Describe an interrupted update of the current commit and how to undo it, if any."""
        if not self.path.exists():
            return ""
        head, releases, title, *commands = self.path.read_text().splitlines()
        if head != self.head:
            return ""
        lock = git_path("index.lock")
        unlock = [f"  rm {shlex.quote(str(lock))}"] if lock.exists() else []
        interrupted = f"An update from {releases} was interrupted here and may have left changes."
        return "\n".join([interrupted, title, *unlock, *commands])


def refuse_unsaved_work() -> None:
    """Raise TemplateError if the service is not committed or has uncommitted changes."""
    try:
        git("rev-parse", "--show-prefix")
    except TemplateError as error:
        raise TemplateError(
            f"An update needs a git repository, but git fails:\n{error}\n"
            f"If this service is not in a repository yet, create one and commit this service."
        ) from error
    try:
        git("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    except TemplateError as error:
        raise TemplateError(
            "An update needs a commit to merge with: commit this service first (git add, git "
            "commit)."
        ) from error
    try:
        git("cat-file", "-e", f"HEAD:./{ANSWERS}")
    except TemplateError as error:
        raise TemplateError(
            f"The last commit has no {ANSWERS}. An update needs this file, which records the "
            f"service's release: restore it and commit it."
        ) from error
    if changes := uncommitted_changes():
        change_list = "\n".join(f"{letters} {path}" for path, letters in changes.items())
        message = "There are uncommitted changes. Commit or stash them, then try again:"
        raise TemplateError(
            f"{message}\n{printable(change_list)}\n{UpdateRecord().message}".rstrip()
        )
