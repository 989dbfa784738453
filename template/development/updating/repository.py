"""The service as a git repository."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from development.updating.redaction import mask

ROOT = Path(__file__).resolve().parents[2]
ANSWERS = ".copier-answers.yml"

GO_BACK = """To go back to where the service was before:
  git restore --source=HEAD --staged --worktree .
  git clean --force -d ."""


class TemplateError(Exception):
    """What stands in the way, and what to do about it."""

    def __init__(self, message: str) -> None:
        """Take a message, and mask the credentials of the URLs in it."""
        super().__init__(mask(message))


class HalfwayError(TemplateError):
    """What went wrong after files had changed, and how to go back."""


def git(*arguments: str) -> str:
    """Return what git answers in the service's folder, or raise what it complains of."""
    return call("git", *arguments)


def call(*command: str, variables: dict[str, str] | None = None) -> str:
    """Return what a command prints, run in the service's folder, or raise what it complains of."""
    quiet = {} if sys.stdin.isatty() else {"GIT_TERMINAL_PROMPT": "0"}
    environment = os.environ | quiet | (variables or {})
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, text=True, capture_output=True
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line and not line.startswith("hint:")]
        raise TemplateError("\n".join(lines) or f"{command[0]} failed: {done.returncode}")
    return done.stdout


def git_path(name: str) -> Path:
    """Return where git keeps a file of that name for this repository, outside the working tree."""
    return ROOT / git("rev-parse", "--git-path", name).strip()


def names(listed: str) -> list[str]:
    """Split what git prints with `-z`."""
    return [name for name in listed.split("\0") if name]


def changes() -> dict[str, str]:
    """Return the state of each path that is not as it was committed, by its two letters."""
    # Renames are shown as what they are made of: a path that goes, and one that comes.
    listed = git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", ".")
    prefix = git("rev-parse", "--show-prefix").strip()
    return {one[3:].removeprefix(prefix): one[:2] for one in names(listed)}


class Note:
    """What an update keeps in `.git` while files change, for the next to find if it is killed."""

    def __init__(self) -> None:
        """Find its place, and the commit that it is about."""
        self.path = git_path("TEMPLATE_UPDATE")
        self.head = git("rev-parse", "HEAD").strip()

    def write(self, start: str, target: str) -> None:
        """Note that files change from now on."""
        self.path.write_text(f"{self.head}\n{start} to {target}\n")

    def remove(self) -> None:
        """Forget it: the files are whole."""
        self.path.unlink(missing_ok=True)

    @property
    def text(self) -> str:
        """What was interrupted and how to go back, or nothing if nothing was since the commit."""
        if not self.path.exists():
            return ""
        head, _, releases = self.path.read_text().partition("\n")
        if head != self.head:
            return ""
        lock = git_path("index.lock")
        unlock = f"\n  rm {shlex.quote(str(lock))}" if lock.exists() else ""
        first, rest = GO_BACK.split("\n", maxsplit=1)
        return (
            f"An update from {releases.strip()} was interrupted here. If these changes are its "
            f"own:\n{first}{unlock}\n{rest}"
        )


def refuse_unsaved_work() -> None:
    """Raise unless this service is committed as it stands."""
    try:
        git("cat-file", "-e", f"HEAD:./{ANSWERS}")
    except TemplateError as error:
        raise TemplateError(
            "An update needs git to merge: commit this service in a git repository first."
        ) from error
    found = changes()
    if not found:
        return
    listed = "\n".join(f"{letters} {path}" for path, letters in found.items())
    message = "There are changes that are not committed. Commit or stash them, then try again:"
    raise TemplateError(f"{message}\n{listed}\n{Note().text}".rstrip())
