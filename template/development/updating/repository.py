"""The service as a git repository."""

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

ELSEWHERE = (
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
"""Variables with which an alias or a hook points git at another repository or other paths."""


class TemplateError(Exception):
    """What stands in the way, and what to do about it."""

    def __init__(self, message: str) -> None:
        """Take a message, and mask the credentials of the URLs in it."""
        super().__init__(mask(message))


class HalfwayError(TemplateError):
    """What went wrong after files had changed, and how to go back."""


def git(*arguments: str, text: str = "") -> str:
    """Return what git answers in the service's folder, or raise what it complains of."""
    return call("git", *arguments, text=text)


def git_bytes(*arguments: str, text: bytes = b"") -> bytes:
    """Return the bytes that git answers in the service's folder, or raise what it complains of."""
    return run(("git", *arguments), text, {}).stdout


def call(*command: str, text: str = "", variables: Mapping[str, str] | None = None) -> str:
    """Return what a command prints, run in the service's folder, or raise what it complains of."""
    return os.fsdecode(run(command, os.fsencode(text), variables or {}).stdout)


def run(
    command: tuple[str, ...], text: bytes, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    """Run a command in the service's folder, with git on the repository that the folder is in."""
    inherited = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    quiet = {} if sys.stdin.isatty() else {"GIT_TERMINAL_PROMPT": "0"}
    environment = inherited | quiet | dict(variables)
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, input=text or None
    )
    if done.returncode:
        raise TemplateError(complaint(command[0], done))
    return done


def complaint(program: str, done: subprocess.CompletedProcess[bytes]) -> str:
    """Return the lines in which a program says why it failed; a hook may write to either stream."""
    printed = shown(os.fsdecode(done.stderr or done.stdout))
    lines = [line for line in printed.splitlines() if line and not line.startswith("hint:")]
    return "\n".join(lines) or f"{program} failed: {done.returncode}"


def shown(text: str) -> str:
    """Return a text that any terminal and file takes; a path may hold bytes that are not UTF-8."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def git_path(name: str) -> Path:
    """Return where git keeps a file of that name for this check-out, outside the working tree."""
    return ROOT / git("rev-parse", "--git-path", name).removesuffix("\n")


def prefix() -> str:
    """Return the service's folder as a prefix of the repository's paths; at its root, nothing."""
    return git("rev-parse", "--show-prefix").removesuffix("\n")


def names(listed: str) -> list[str]:
    """Split what git prints with `-z`."""
    return [name for name in listed.split("\0") if name]


def changes() -> dict[str, str]:
    """Return the state of each path that is not as it was committed, by its two letters."""
    # Renames are shown as what they are made of: a path that goes, and one that comes.
    options = ("--porcelain", "-z", "--no-renames", "--untracked-files=all")
    listed = git("status", *options, "--ignore-submodules=dirty", "--", ".")
    start = prefix()
    return {one[3:].removeprefix(start): one[:2] for one in names(listed)}


def way_back(ignored: tuple[str, ...] = ()) -> str:
    """Return the commands that undo an update, which may have added files that git ignores."""
    lines = [
        "To go back to where the service was before:",
        "  git reset --quiet -- .",
        "  git restore --worktree -- .",
        "  git clean --force -d -- .",
    ]
    if ignored:
        lines.append(f"  git clean --force -d -x -- {shlex.join(ignored)}")
    return "\n".join(lines)


@contextmanager
def only_one() -> Iterator[None]:
    """Refuse a second update of this check-out while the first one runs."""
    with git_path("TEMPLATE_UPDATE_LOCK").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TemplateError(
                "Another update is running in this check-out: try again once it has ended."
            ) from error
        yield


class Note:
    """What an update keeps in `.git` while files change, for the next to find if it is killed."""

    def __init__(self) -> None:
        """Find its place, and the commit that it is about."""
        self.path = git_path("TEMPLATE_UPDATE")
        self.head = git("rev-parse", "HEAD").strip()

    def write(self, releases: str, ignored: tuple[str, ...]) -> None:
        """Note that files change from now on."""
        self.path.write_text(f"{self.head}\n{releases}\n{shown(way_back(ignored))}\n")

    def remove(self) -> None:
        """Forget it: the files are whole."""
        self.path.unlink(missing_ok=True)

    @property
    def text(self) -> str:
        """What was interrupted and how to go back, or nothing if nothing was since the commit."""
        if not self.path.exists():
            return ""
        head, releases, *back = self.path.read_text().splitlines()
        if head != self.head:
            return ""
        lock = git_path("index.lock")
        unlock = [f"  rm {shlex.quote(str(lock))}"] if lock.exists() else []
        return "\n".join(
            [
                f"An update from {releases} was interrupted here. If these changes are its:",
                *back[:1],
                *unlock,
                *back[1:],
            ]
        )


def refuse_unsaved_work() -> None:
    """Raise unless this service is committed as it stands."""
    try:
        git("rev-parse", "--show-prefix")
    except TemplateError as error:
        raise TemplateError(
            f"An update needs git, which says:\n{error}\n"
            f"If this service is not in a git repository yet, commit this service in one first."
        ) from error
    try:
        git("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    except TemplateError as error:
        raise TemplateError(
            "An update needs git to merge: commit this service first (git add, git commit)."
        ) from error
    try:
        git("cat-file", "-e", f"HEAD:./{ANSWERS}")
    except TemplateError as error:
        raise TemplateError(
            f"The last commit has no {ANSWERS}, which records the release that this service is "
            f"at: commit this service with it, under this name."
        ) from error
    if found := changes():
        listed = "\n".join(f"{letters} {path}" for path, letters in found.items())
        message = "There are changes that are not committed. Commit or stash them, then try again:"
        raise TemplateError(f"{message}\n{shown(listed)}\n{Note().text}".rstrip())
