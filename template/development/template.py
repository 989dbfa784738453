# /// script
# requires-python = ">=3.11"
# dependencies = ["copier>=9.19.0,<10", "copier-template-extensions>=0.3.4", "jinja2-time>=0.2.0"]
# ///
"""Compare this service with its template, or bring in a newer release of it.

Exit status of `check`: 0 up to date, 2 behind, 1 it could not be told.
Exit status of `update`: 0 done, 2 done with conflicts left to resolve, 1 nothing was changed.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class TemplateError(Exception):
    """What stands in the way, and what to do about it."""


def main() -> int:
    """Run the command named on the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="template.py", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="say whether the template has a newer release")
    update = commands.add_parser("update", help="bring in the newest release, or the one named")
    update.add_argument("--to", default="", metavar="RELEASE", help="for example v1.2.0")
    options = parser.parse_args()
    try:
        return check_template() if options.command == "check" else update_from(options.to)
    except TemplateError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def check_template() -> int:
    """Say how the service's release compares with the template's newest."""
    news = json.loads(copier("check-update", "--output-format", "json", stdout=subprocess.PIPE))
    if not news["update_available"]:
        print(f"Up to date with the template, release {news['current_version']}.")
        return 0
    print(
        f"The template is at release {news['latest_version']}, this service at "
        f"{news['current_version']}. Bring it in with: make template-update"
    )
    return 2


def update_from(release: str) -> int:
    """Update the files from `release` of the template, and name those left with conflicts."""
    refuse_unsaved_work()
    questions = "--skip-answered" if sys.stdin.isatty() else "--defaults"
    wanted = ["--vcs-ref", release] if release else []
    copier("update", "--trust", "--quiet", questions, *wanted)
    conflicts = git("diff", "-z", "--name-only", "--diff-filter=U", "--relative").split("\0")
    if any(conflicts):
        print("Resolve the conflicts marked in these files, then commit:")
        print(*(f"  {path}" for path in conflicts if path), sep="\n")
        return 2
    if not git("status", "--porcelain", "--", "."):
        print("There was nothing to bring in.")
        return 0
    lock_dependencies()
    print("Updated. Look at it with `git diff`, try it with `make test`, then commit.")
    return 0


def refuse_unsaved_work() -> None:
    """Raise unless everything in the working tree is committed."""
    try:
        changes = git("status", "--porcelain", "--", ".")
    except subprocess.CalledProcessError as error:
        raise TemplateError(
            "An update needs git to merge: commit this service in a git repository first."
        ) from error
    if changes:
        raise TemplateError(
            "There are changes that are not committed. Commit or stash them, then try again:\n"
            + changes.rstrip()
        )


def lock_dependencies() -> None:
    """Bring uv.lock in line with what the update changed in pyproject.toml."""
    if (ROOT / "uv.lock").exists():
        subprocess.run([os.environ.get("UV", "uv"), "lock", "--quiet"], cwd=ROOT, check=False)


def copier(*arguments: str, stdout: int | None = None) -> str:
    """Run copier in the service's folder and return what it prints to `stdout`."""
    command = [sys.executable, "-m", "copier", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, check=False, text=True, stdout=stdout, stderr=subprocess.PIPE
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise TemplateError(f"The template could not be read or applied: {reason}")
    return done.stdout or ""


def git(*arguments: str) -> str:
    """Return what git answers in the service's folder."""
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, text=True, capture_output=True
    ).stdout


if __name__ == "__main__":
    sys.exit(main())
