"""Compare this service with its template, or update it to a newer release."""

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from development.updating.pull_request import propose
from development.updating.releases import UpdatePath, cloned_template, recorded_answers
from development.updating.repository import (
    ROOT,
    PartialUpdateError,
    TemplateError,
    call,
    git,
    git_path,
    printable,
    undo_commands,
)
from development.updating.update import update_service

DONE, NOTHING_CHANGED, CONFLICTS, PARTIAL, INTERRUPTED = 0, 1, 2, 3, 130
BEHIND = 2


def main() -> int:
    """Run the command named on the command line and return the exit status."""
    options = arguments().parse_args()
    commands = {"check": check_template, "update": update_template, "propose": propose_update}
    try:
        return commands[options.command](options)
    except PartialUpdateError as error:
        print(error, file=sys.stderr)
        return PARTIAL
    except TemplateError as error:
        print(error, file=sys.stderr)
        return NOTHING_CHANGED
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return INTERRUPTED


class Parser(argparse.ArgumentParser):
    """A parser that exits with 1 for wrong usage: argparse's 2 would mean conflicts."""

    def error(self, message: str) -> NoReturn:
        """Print the error and exit."""
        self.exit(NOTHING_CHANGED, f"{self.format_usage()}{self.prog}: {message}\n")


def arguments() -> argparse.ArgumentParser:
    """Define the command line."""
    parser = Parser(prog="template.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="report whether the template has a newer release")
    update = commands.add_parser("update", help="update to the newest release, or to the one named")
    update.add_argument(
        "--test",
        action=argparse.BooleanOptionalAction,
        help="run the service's tests afterwards; in a terminal, the default is to ask",
    )
    update.add_argument("--commit", action="store_true", help="commit an update without conflicts")
    update.add_argument("--report", type=Path, metavar="FILE", help="write a report in Markdown")
    proposal = commands.add_parser("propose", help="update, and open or refresh a pull request")
    proposal.add_argument("--base", required=True, metavar="BRANCH", help="the target branch")
    for command in (update, proposal):
        command.add_argument("--to", default="", metavar="RELEASE", help="for example v1.2.0")
    return parser


def check_template(_: argparse.Namespace) -> int:
    """Report how the service's release compares with the template's newest one."""
    answers = recorded_answers()
    with cloned_template(str(answers["_src_path"])) as template:
        update_path = template.update_path(str(answers["_commit"]))
    if update_path.ahead:
        print(ahead(update_path))
        return DONE
    if not update_path.behind:
        print(f"Up to date with the template, release {update_path.start}.")
        return DONE
    count = len(update_path.releases)
    print(
        f"Behind by {count} release{'s' if count > 1 else ''}: this service is at "
        f"{update_path.start}, the template is at {update_path.releases[0].tag}.\n"
    )
    print(*(release.section for release in update_path.releases), sep="\n")
    print("To update, run: make template-update")
    return BEHIND


def ahead(update_path: UpdatePath) -> str:
    """Report that the service is newer than the template's newest release."""
    if update_path.target is None:
        newest = "the template has no release yet"
    else:
        newest = f"the template's newest release is {update_path.target.tag}"
    return f"Ahead of the template: this service was made from {update_path.start}, and {newest}."


def update_template(options: argparse.Namespace) -> int:
    """Update the service and report the changes; test and commit them if asked to."""
    outcome = update_service(options.to)
    if outcome is None:
        return DONE
    if options.report:
        options.report.write_text(outcome.body)
    message = git_path("TEMPLATE_UPDATE_MSG")
    message.write_text(outcome.message)
    title = outcome.update_path.title.replace("Update", "Updated", 1)
    print(f"{title}.", *outcome.report, sep="\n")
    undo = printable(undo_commands(outcome.ignored))
    if outcome.conflicts:
        print(f"\nResolve the conflicts, then commit:\n{commit_command(message)}\n{undo}")
        return CONFLICTS
    if wants_tests(options.test):
        run_tests(undo)
    if options.commit:
        commit(message, undo)
    else:
        command = commit_command(message)
        print(f"\nReview it with `git diff`, test it with `make test`, then commit:\n{command}")
    return DONE


def commit_command(message: Path) -> str:
    """Return the command that commits an update."""
    file = shlex.quote(os.path.relpath(message, ROOT))
    return f"  git add --all{sparse()} . && git commit --file={file}"


def sparse() -> str:
    """Return the option that `git add` needs in a sparse checkout."""
    is_sparse = git("config", "--default=false", "--get", "core.sparseCheckout").strip().lower()
    return " --sparse" if is_sparse == "true" else ""


def wants_tests(choice: bool | None) -> bool:  # noqa: FBT001 - the option itself
    """Return the chosen option. Without one, ask in a terminal, and run no tests in a script."""
    if choice is None and sys.stdin.isatty():
        return input("Run the service's tests now? [y/N] ").strip().lower() in {"y", "yes"}
    return bool(choice)


def run_tests(undo: str) -> None:
    """Run the service's tests, and raise PartialUpdateError if they fail."""
    # Set by the make and the uv that run this command.
    removed = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VIRTUAL_ENV"}
    environment = {name: value for name, value in os.environ.items() if name not in removed}
    if subprocess.run(["make", "test"], cwd=ROOT, env=environment, check=False).returncode:
        raise PartialUpdateError(f"The service's tests fail after the update.\n{undo}")


def commit(message: Path, undo: str) -> None:
    """Commit everything in the service's folder. The repository's hooks run."""
    try:
        git("add", "--all", *sparse().split(), "--", ".")
        print(printable(call("git", "commit", f"--file={message}", "--", ".")).rstrip())
    except TemplateError as error:
        raise PartialUpdateError(
            f"The files are updated, but the commit failed:\n{error}\n"
            f"Fix the cause, then commit:\n{commit_command(message)}\n{undo}"
        ) from error


def propose_update(options: argparse.Namespace) -> int:
    """Open or refresh a pull request with the update."""
    propose(options.base, options.to)
    return DONE
