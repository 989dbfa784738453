"""Commands run outside a request: typed arguments, exit codes, and a clean end."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from orders import __main__ as program
from orders.internal.commands import read_arguments, run_command
from orders.internal.database import DatabaseSessionManager
from orders.internal.feature import Feature, StartError
from orders.internal.resources import Resources
from orders.main import working

from .helpers import settings


class Log(list[object]):
    """Values that a command received."""


async def record(
    resources: Resources,
    path: Path,
    day: date = date.min,
    *notes: str,
    dry_run: bool = False,
    limit: int,
) -> None:
    """Record the arguments.

    The rest of the docstring is for readers of the code.
    """
    resources.get(Log).extend((path, day, notes, dry_run, limit))


@asynccontextmanager
async def start(_: Resources) -> AsyncIterator[Log]:
    """Open the log, and record when it closes."""
    log = Log()
    try:
        yield log
    finally:
        CLOSED.append(log)


CLOSED: list[Log] = []
FEATURES = (Feature(start=start, commands={"record": record}),)


def run(name: str, command: object) -> tuple[int, Log]:
    """Run a command without a database; return its exit code and the closed log."""
    CLOSED.clear()
    code = run_command(name, command, working(settings(), features=FEATURES))  # type: ignore[arg-type]
    return code, CLOSED[0] if CLOSED else Log()


def test_arguments_have_the_types_of_the_parameters() -> None:
    """Positional parameters are arguments, keyword-only ones are options."""
    texts = ["my file.csv", "2026-11-28", "a", "b", "--dry-run", "--limit=3"]
    code, log = run("record", read_arguments("record", record, texts))
    assert (code, log) == (0, [Path("my file.csv"), date(2026, 11, 28), ("a", "b"), True, 3])
    code, log = run("record", read_arguments("record", record, ["x", "--limit", "1"]))
    assert (code, log) == (0, [Path("x"), date.min, (), False, 1])


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["x", "noon", "--limit=1"], "argument day: Input should be a valid date"),
        (["x"], "the following arguments are required: --limit"),
        (["x", "--limit=1", "--limits=2"], "unrecognized arguments: --limits=2"),
    ],
)
def test_wrong_arguments_are_reported(
    texts: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No resource is opened for them."""
    with pytest.raises(SystemExit) as exited:
        read_arguments("record", record, texts)
    assert exited.value.code == 2
    assert message in capsys.readouterr().err


def test_an_unknown_command_lists_the_existing_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`serve` is one of them."""
    monkeypatch.setattr(program, "ALL_FEATURES", FEATURES)
    with pytest.raises(SystemExit) as exited:
        program.main(["recrod"])
    assert exited.value.code == 2
    problem = "there is no command 'recrod'. Choose from: serve, record."
    assert problem in capsys.readouterr().err


def test_help_shows_any_default(capsys: pytest.CaptureFixture[str]) -> None:
    """Also one with a percent sign, which argparse interprets."""

    async def export(_: Resources, form: str = "%d.%m.%y") -> None:
        """Export, 100 % of it."""

    with pytest.raises(SystemExit) as exited:
        read_arguments("export", export, ["--help"])
    assert exited.value.code == 0
    assert "default: %d.%m.%y" in capsys.readouterr().out


def test_standard_output_contains_only_the_commands_output() -> None:
    """Logs go to standard error, so that other programs can read the output."""
    run = subprocess.run(  # noqa: S603 - this interpreter, and a program from this file
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert run.stdout == "1.23\n"
    assert "command finished" in run.stderr


PROGRAM = """
from orders import __main__ as program, main
from orders.internal.feature import Feature
from tests.inside.helpers import settings

async def show(resources):
    print("1.23")

program.ALL_FEATURES = (Feature(commands={"show": show}),)
program.working = lambda settings: main.working(settings, features=())
program.Settings.load = settings
program.main(["show"])
"""


@pytest.mark.parametrize("arguments", [[], ["serve"]])
def test_without_a_command_it_serves(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As every start command of earlier releases expects."""
    served: list[bool] = []
    monkeypatch.setattr(program, "serve_until_stopped", lambda: served.append(True))
    program.main(arguments)
    assert served == [True]


def test_a_failure_is_logged_and_ends_with_1() -> None:
    """Resources are closed first."""

    async def fail(_: Resources) -> None:
        raise LookupError("no such file")

    with capture_logs() as logs:
        code, _ = run("fail", fail)
    assert (code, len(CLOSED)) == (1, 1)
    [entry] = [entry for entry in logs if entry["log_level"] == "error"]
    assert (entry["event"], entry["command"]) == ("command failed", "fail")
    assert isinstance(entry["exc_info"], LookupError)


def test_a_failed_start_is_reported_in_one_line() -> None:
    """As when the service starts."""

    async def refuse(_: Resources) -> None:
        raise StartError("RATES_URL: this is not a URL")

    with capture_logs() as logs:
        code, _ = run("refuse", refuse)
    [entry] = [entry for entry in logs if entry["log_level"] == "error"]
    assert (code, entry["reason"], "exc_info" in entry) == (
        1,
        "RATES_URL: this is not a URL",
        False,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_command_cleanly(number: signal.Signals) -> None:
    """The command is cancelled, its resources are closed, and the exit code shows the signal."""

    async def wait(resources: Resources) -> None:
        os.kill(os.getpid(), number)
        try:
            await asyncio.sleep(60)
        finally:
            resources.get(Log).append("cleaned up")

    before = signal.getsignal(number)
    code, log = run("wait", wait)
    assert (code, log) == (128 + number, ["cleaned up"])
    assert signal.getsignal(number) in {before, signal.default_int_handler}


async def test_work_outside_a_request_has_sessions(migrated_postgres: str) -> None:
    """Commands have all other resources of features too."""
    async with working(settings(database_url=migrated_postgres)) as resources:
        database = resources.get(DatabaseSessionManager)
        async with database.session() as session:
            assert await session.scalar(text("SELECT 1")) == 1
    assert resources.find(DatabaseSessionManager) is None
