"""The command line: `python -m fleet check` and `python -m fleet merge`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from . import places
from .page import page
from .rehearsal import Plan
from .report import Report, ReportError, Service, merge
from .running import check
from .table import show, watched

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

STATUS = """
exit status: 0 all services are up to date, or ahead; 2 some are behind, and all of these update
without conflict; 1 some updates would conflict, some tests fail, some services could not be
checked, or the usage is wrong; 130 interrupted.
"""


class Parser(argparse.ArgumentParser):
    """A parser that exits with 1 for wrong usage: argparse's 2 would mean "behind"."""

    def error(self, message: str) -> NoReturn:
        """Print the error and exit with status 1."""
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status."""
    options = parser().parse_args(arguments)
    try:
        report = merged(options) if options.command == "merge" else checked(options)
        write(report, options)
    except (places.PlaceError, ReportError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return report.status


def parser() -> Parser:
    """Define the command line."""
    main_parser = Parser(prog="python -m fleet", description=__doc__, epilog=STATUS)
    commands = main_parser.add_subparsers(dest="command", required=True)
    check_parser = commands.add_parser(
        "check", help="simulate the update of each service", epilog=STATUS
    )
    check_parser.add_argument(
        "places", nargs="+", help="a list of paths and URLs, a folder of services, or a URL"
    )
    check_parser.add_argument(
        "--to", default="", metavar="RELEASE", help="instead of the newest release"
    )
    check_parser.add_argument(
        "--template", default="", metavar="SOURCE", help="a path or URL instead of the recorded one"
    )
    check_parser.add_argument(
        "--test", action="store_true", help="run each service's tests as well"
    )
    check_parser.add_argument("--jobs", type=positive, default=os.cpu_count() or 1, metavar="N")
    check_parser.add_argument(
        "--timeout", type=float, default=120, metavar="SECONDS", help="per service"
    )
    check_parser.add_argument(
        "--test-timeout", type=float, default=900, metavar="SECONDS", help="for its tests"
    )
    check_parser.add_argument(
        "--shard", type=shard, default=(1, 1), metavar="K/N", help="check a part"
    )
    merge_parser = commands.add_parser("merge", help="combine several reports", epilog=STATUS)
    merge_parser.add_argument("reports", nargs="+", type=Path, help="files written with --json")
    for subparser in (check_parser, merge_parser):
        subparser.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON")
        subparser.add_argument("--html", type=Path, metavar="FILE", help="write the report as HTML")
    return main_parser


def positive(text: str) -> int:
    """Parse a number of processes."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is too small: use 1 or more")
    return number


def shard(text: str) -> tuple[int, int]:
    """Parse a part of the services: `1/4` is the first of four parts."""
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text} is not a part: write 1/4 for the first of four")
    return int(part), int(parts)


def checked(options: argparse.Namespace) -> Report:
    """Simulate all updates and return the report. After an interruption it is incomplete."""
    part, parts = options.shard
    entries = places.find(options.places)[part - 1 :: parts]
    plan = Plan(
        template=places.absolute(options.template) if options.template else "",
        to=options.to,
        test=options.test,
        limit=options.timeout,
        test_limit=options.test_timeout,
        test_workers=max(1, (os.cpu_count() or 1) // options.jobs),
    )
    results: list[Service] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        with (
            watched(len(entries)) as watcher,
            closing(check(entries, plan, options.jobs, watcher.starts)) as services,
        ):
            for service in services:
                results.append(service)
                watcher.ends(service)
    except KeyboardInterrupt:
        return Report.of(results, complete=False)
    return Report.of(results)


def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """Raise KeyboardInterrupt, and ignore further signals during the cleanup."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def merged(options: argparse.Namespace) -> Report:
    """Combine the reports of several machines."""
    return merge(map(Report.read, options.reports))


def write(report: Report, options: argparse.Namespace) -> None:
    """Print the report and write the requested files."""
    if options.json:
        report.write(options.json)
    if options.html:
        options.html.write_text(page(report), encoding="utf-8")
    show(report)


if __name__ == "__main__":
    sys.exit(main())
