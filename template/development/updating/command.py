"""Compare this service with its template, or bring in a newer release of it."""

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from development.updating.bringing import bring_in
from development.updating.pull_request import propose
from development.updating.releases import Course, fetched, recorded
from development.updating.repository import (
    GO_BACK,
    ROOT,
    HalfwayError,
    TemplateError,
    call,
    git,
    git_path,
)

DONE, NOTHING_CHANGED, CONFLICTS, HALFWAY, INTERRUPTED = 0, 1, 2, 3, 130
BEHIND = 2


def main() -> int:
    """Run the command named on the command line and return the exit status."""
    options = arguments().parse_args()
    commands = {"check": check_template, "update": update_template, "propose": propose_update}
    try:
        return commands[options.command](options)
    except HalfwayError as error:
        print(error, file=sys.stderr)
        return HALFWAY
    except TemplateError as error:
        print(error, file=sys.stderr)
        return NOTHING_CHANGED
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return INTERRUPTED


class Parser(argparse.ArgumentParser):
    """A command line whose mistakes are no conflicts: argparse's own status is 2 as well."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and that nothing was changed."""
        self.exit(NOTHING_CHANGED, f"{self.format_usage()}{self.prog}: {message}\n")


def arguments() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = Parser(prog="template.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="say whether the template has a newer release")
    update = commands.add_parser("update", help="bring in the newest release, or the one named")
    update.add_argument(
        "--test",
        action=argparse.BooleanOptionalAction,
        help="run the service's tests afterwards; a terminal is asked",
    )
    update.add_argument("--commit", action="store_true", help="commit what has no conflicts")
    update.add_argument("--report", type=Path, metavar="FILE", help="write a report in Markdown")
    proposal = commands.add_parser("propose", help="update, and keep a pull request of it current")
    proposal.add_argument("--base", required=True, metavar="BRANCH", help="to be merged into")
    for command in (update, proposal):
        command.add_argument("--to", default="", metavar="RELEASE", help="for example v1.2.0")
    return parser


def check_template(_: argparse.Namespace) -> int:
    """Say how the service's release compares with the template's newest."""
    answers = recorded()
    with fetched(str(answers["_src_path"])) as template:
        course = template.course(str(answers["_commit"]))
    if course.ahead:
        print(ahead(course))
        return DONE
    if not course.behind:
        print(f"Up to date with the template, release {course.start}.")
        return DONE
    count = len(course.passed)
    print(
        f"Behind by {count} release{'s' if count > 1 else ''}: this service is at {course.start}, "
        f"the template at {course.passed[0].tag}.\n"
    )
    print(*(release.section for release in course.passed), sep="\n")
    print("Bring it in with: make template-update")
    return BEHIND


def ahead(course: Course) -> str:
    """Say that the service has more than the release that it was compared with."""
    kind = "release" if course.released else "a commit that is no release,"
    newest = f"is at {course.target.tag}" if course.target else "has no release yet"
    return f"Ahead of the template: this service was made from {kind} {course.start}, it {newest}."


def update_template(options: argparse.Namespace) -> int:
    """Bring a release in, say what it did, and test and commit it where that is wanted."""
    outcome = bring_in(options.to)
    if outcome is None:
        return DONE
    if options.report:
        options.report.write_text(outcome.body)
    message = git_path("TEMPLATE_UPDATE_MSG")
    message.write_text(outcome.message)
    file = shlex.quote(os.path.relpath(message, ROOT))
    by_hand = f"  git add --all . && git commit --file={file}"
    print(f"{outcome.course.title.replace('Update', 'Updated', 1)}.", *outcome.report, sep="\n")
    if outcome.conflicts:
        print(f"\nResolve the conflicts, then commit:\n{by_hand}\n{GO_BACK}")
        return CONFLICTS
    if wants_tests(options.test):
        run_tests()
    if options.commit:
        commit(message)
    else:
        print(f"\nLook at it with `git diff`, try it with `make test`, then commit:\n{by_hand}")
    return DONE


def wants_tests(choice: bool | None) -> bool:  # noqa: FBT001 - the option itself
    """Return what was chosen; where nothing was, a person is asked and a script runs none."""
    if choice is None and sys.stdin.isatty():
        return input("Run the service's tests now? [y/N] ").strip().lower() in {"y", "yes"}
    return bool(choice)


def run_tests() -> None:
    """Run the service's tests as it has them now, and raise if they fail."""
    ours = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VIRTUAL_ENV"}  # of the make and uv that run us
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    if subprocess.run(["make", "test"], cwd=ROOT, env=environment, check=False).returncode:
        raise HalfwayError(f"The service's tests fail after the update.\n{GO_BACK}")


def commit(message: Path) -> None:
    """Commit everything in the service's folder; the repository's hooks run."""
    try:
        git("add", "--all", "--", ".")
        print(call("git", "commit", f"--file={message}", "--", ".").rstrip())
    except TemplateError as error:
        raise HalfwayError(f"The update is in the files, and was not committed: {error}") from error


def propose_update(options: argparse.Namespace) -> int:
    """Bring the newest release in as a pull request."""
    propose(options.base, options.to)
    return DONE
