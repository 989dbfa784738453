"""Compare this service with its template, or bring in a newer release of it."""

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from development.updating.pull_request import propose
from development.updating.releases import UpdatePath, fetched, recorded
from development.updating.repository import (
    ROOT,
    HalfwayError,
    TemplateError,
    call,
    git,
    git_path,
    shown,
    way_back,
)
from development.updating.update import bring_in

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
        update_path = template.update_path(str(answers["_commit"]))
    if update_path.ahead:
        print(ahead(update_path))
        return DONE
    if not update_path.behind:
        print(f"Up to date with the template, release {update_path.start}.")
        return DONE
    count = len(update_path.passed)
    print(
        f"Behind by {count} release{'s' if count > 1 else ''}: this service is at "
        f"{update_path.start}, the template at {update_path.passed[0].tag}.\n"
    )
    print(*(release.section for release in update_path.passed), sep="\n")
    print("Bring it in with: make template-update")
    return BEHIND


def ahead(update_path: UpdatePath) -> str:
    """Say that the service has more than the release that it was compared with."""
    kind = "release" if update_path.released else "a commit that is no release,"
    newest = f"is at {update_path.target.tag}" if update_path.target else "has no release yet"
    return (
        f"Ahead of the template: this service was made from {kind} {update_path.start}, "
        f"it {newest}."
    )


def update_template(options: argparse.Namespace) -> int:
    """Bring a release in, say what it did, and test and commit it where that is wanted."""
    outcome = bring_in(options.to)
    if outcome is None:
        return DONE
    if options.report:
        options.report.write_text(outcome.body)
    message = git_path("TEMPLATE_UPDATE_MSG")
    message.write_text(outcome.message)
    title = outcome.update_path.title.replace("Update", "Updated", 1)
    print(f"{title}.", *outcome.report, sep="\n")
    back = shown(way_back(outcome.hidden))
    if outcome.conflicts:
        print(f"\nResolve the conflicts, then commit:\n{by_hand(message)}\n{back}")
        return CONFLICTS
    if wants_tests(options.test):
        run_tests(back)
    if options.commit:
        commit(message, back)
    else:
        commands = by_hand(message)
        print(f"\nLook at it with `git diff`, try it with `make test`, then commit:\n{commands}")
    return DONE


def by_hand(message: Path) -> str:
    """Return the commands that commit an update."""
    file = shlex.quote(os.path.relpath(message, ROOT))
    return f"  git add --all{sparse()} . && git commit --file={file}"


def sparse() -> str:
    """Return the option of `git add` for files outside a sparse check-out, if this is one."""
    is_sparse = git("config", "--default=false", "--get", "core.sparseCheckout").strip().lower()
    return " --sparse" if is_sparse == "true" else ""


def wants_tests(choice: bool | None) -> bool:  # noqa: FBT001 - the option itself
    """Return what was chosen; where nothing was, a person is asked and a script runs none."""
    if choice is None and sys.stdin.isatty():
        return input("Run the service's tests now? [y/N] ").strip().lower() in {"y", "yes"}
    return bool(choice)


def run_tests(back: str) -> None:
    """Run the service's tests as it has them now, and raise if they fail."""
    ours = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VIRTUAL_ENV"}  # of the make and uv that run us
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    if subprocess.run(["make", "test"], cwd=ROOT, env=environment, check=False).returncode:
        raise HalfwayError(f"The service's tests fail after the update.\n{back}")


def commit(message: Path, back: str) -> None:
    """Commit everything in the service's folder; the repository's hooks run."""
    try:
        git("add", "--all", *sparse().split(), "--", ".")
        print(shown(call("git", "commit", f"--file={message}", "--", ".")).rstrip())
    except TemplateError as error:
        raise HalfwayError(
            f"The update is in the files, but it could not be committed:\n{error}\n"
            f"Once that is settled, commit it:\n{by_hand(message)}\n{back}"
        ) from error


def propose_update(options: argparse.Namespace) -> int:
    """Bring the newest release in as a pull request."""
    propose(options.base, options.to)
    return DONE
